"""Peak memory of a process and its descendants, from /proc (Linux)."""

import contextlib
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self


@dataclass(slots=True)
class Peak:
    """Peak bytes of a process and of each descendant; use it in a `with` block while the process runs.

    Mapped files count. Everything is 0 without /proc. Memory is sampled many times a second, so an allocation just
    before a process ends can be missed.
    """

    pid: int
    most: dict[int, int] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def own(self) -> int:
        return self.most.get(self.pid, 0)

    @property
    def below(self) -> int:
        """Peak of the largest descendant."""
        return max((most for pid, most in self.most.items() if pid != self.pid), default=0)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *reason: object) -> None:
        self._ended.set()
        assert self._thread is not None
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            for pid in family(self.pid):
                with contextlib.suppress(OSError):
                    self.most[pid] = max(peak_of(pid), self.most.get(pid, 0))


def peak_of(pid: int) -> int:
    """Peak bytes of a running process. Raises OSError if it has ended."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace"))
    return 1024 * int(found[1]) if found else 0


def family(pid: int) -> list[int]:
    """The process and its running descendants."""
    children: list[int] = []
    with contextlib.suppress(OSError):  # the process or one of its threads may end meanwhile
        for file in Path(f"/proc/{pid}/task").glob("*/children"):
            children += map(int, file.read_text(encoding="ascii").split())
    return [pid, *(below for child in children for below in family(child))]


def held(pid: int) -> int:
    """Current bytes of a process and its descendants; shared pages count once. 0 without /proc."""
    total = 0
    for member in family(pid):
        with contextlib.suppress(OSError):
            rollup = Path(f"/proc/{member}/smaps_rollup").read_text(encoding="ascii", errors="replace")
            found = re.search(r"^Pss:\s*(\d+) kB", rollup, flags=re.MULTILINE)
            total += 1024 * int(found[1]) if found else 0
    return total
