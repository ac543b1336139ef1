"""How much memory a process and those it starts take at most, as the Linux kernel counts it."""

import contextlib
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self


@dataclass(slots=True)
class Peak:
    """Bytes at most of a process, and of each process below it; use it in a `with` block while the process runs.

    Pages of files that are mapped count too. All is 0 where there is no /proc. It looks many times a second: what a
    process takes in the last moment before it ends may be missed.
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
        """Of the biggest process below it."""
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
    """Bytes that a running process has taken at most. Raises OSError when it is gone."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace"))
    return 1024 * int(found[1]) if found else 0


def family(pid: int) -> list[int]:
    """The process and all below it that run now."""
    children: list[int] = []
    with contextlib.suppress(OSError):  # it may end meanwhile, and so may its threads
        for file in Path(f"/proc/{pid}/task").glob("*/children"):
            children += map(int, file.read_text(encoding="ascii").split())
    return [pid, *(below for child in children for below in family(child))]


def held(pid: int) -> int:
    """Bytes that a process and those below it hold now; what several of them share counts once. 0 without a /proc."""
    total = 0
    for member in family(pid):
        with contextlib.suppress(OSError):
            rollup = Path(f"/proc/{member}/smaps_rollup").read_text(encoding="ascii", errors="replace")
            found = re.search(r"^Pss:\s*(\d+) kB", rollup, flags=re.MULTILINE)
            total += 1024 * int(found[1]) if found else 0
    return total
