"""Hand the pictures of a long file from a worker process to the build one by one, through a temporary folder.

A document or film may hold thousands of pictures: the worker waits while AHEAD of them have not been taken, so that
neither memory nor the folder grows with the file.
"""

import pickle
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pebble import ProcessExpired

from retrieval.errors import Busy, UnreadableImage
from retrieval.printable_names import shown

AHEAD = 16
"""Pictures that may wait to be taken."""
PAUSE = 0.005
"""Seconds between looks at the folder."""
BEGUN = "begun"
"""The file that says which picture is being decoded."""


class Spool:
    """The receiving end, for one task of a worker."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="boxfind-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self.taken = 0
        self._hangs = False

    def close(self) -> None:
        """Remove the folder."""
        self._folder.cleanup()

    def results(self, future: Future[Any], seconds: float, is_active: Callable[[], bool]) -> Iterator[Any]:
        """What the worker puts, until it ends. It is stopped if a picture takes more than `seconds`."""
        since = time.monotonic()
        while True:
            has_ended = future.done() or not is_active()
            file = self.folder / str(self.taken)
            if file.exists():
                item = pickle.loads(file.read_bytes())
                file.unlink()
                self.taken += 1
                yield item
                since = time.monotonic()
                continue
            if has_ended:
                return
            if not future.running():  # waits for a worker
                since = time.monotonic()
            if time.monotonic() - since > seconds:
                self._hangs = True
                future.cancel()
                return
            time.sleep(PAUSE)

    def begun(self) -> tuple[int, str]:
        """The number and the place of the picture that was begun last; (-1, "") if unknown."""
        try:
            number, place = (self.folder / BEGUN).read_text(encoding="ascii").split()
            return int(number), place
        except (OSError, ValueError):
            return -1, ""

    def problem(self, future: Future[Any], name: str) -> UnreadableImage | None:
        """Why the worker ended before the last picture; None if it did not. Raises Busy if the pool was closed."""
        if self._hangs:
            return UnreadableImage("decoder_hang", f"{shown(name)} takes too long to decode; save it again.")
        try:
            future.result(timeout=0)
        except UnreadableImage as problem:
            return problem
        except (ProcessExpired, TimeoutError):
            return UnreadableImage("decoder_crash", f"{shown(name)} crashes the decoder; save it again.")
        except CancelledError:
            raise Busy("The pictures are being closed; try again in a moment.") from None
        return None


class SpoolWriter:
    """The sending end, in the worker."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._put = folder, 0

    def begin(self, number: int, place: str) -> None:
        """Say which picture is decoded next."""
        (self._folder / BEGUN).write_text(f"{number} {place}", encoding="ascii")

    def put(self, item: object) -> None:
        """Hand over a result. Waits while AHEAD have not been taken."""
        part = self._folder / "part"
        part.write_bytes(pickle.dumps(item))
        part.rename(self._folder / str(self._put))
        self._put += 1
        while (self._folder / str(self._put - AHEAD)).exists():
            time.sleep(PAUSE)
