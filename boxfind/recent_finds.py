"""Keep what searches find, so that its text and details are read first, without ever delaying or failing a search."""

import contextlib
import threading
from collections.abc import Sequence

from index.gallery import Gallery
from index.storage.picture_contents import contents_of
from index.storage.recent_finds import note_finds
from retrieval.types import Hit

FIRST = 50
"""Hits of a search that are kept: those that people look at."""


class RecentFinds:
    """Writes in a thread of its own. Searches that end while it writes wait as one: the last. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next: tuple[Gallery, Sequence[Hit]] | None = None
        self._writer: threading.Thread | None = None

    def note(self, gallery: Gallery, hits: Sequence[Hit]) -> None:
        """Keep the best hits of a search. Nothing happens if the index folder is read-only or the disk is full."""
        if not hits:
            return
        with self._lock:
            self._next = gallery, hits[:FIRST]
            if self._writer is None:
                self._writer = threading.Thread(target=self._write)
                self._writer.start()

    def wait(self) -> None:
        """Wait until everything is written."""
        writer = self._writer
        if writer is not None:
            writer.join()

    def _write(self) -> None:
        while True:
            with self._lock:
                if self._next is None:
                    self._writer = None
                    return
                (gallery, hits), self._next = self._next, None
            hashes, numbers = gallery.tables.images["sha256"], gallery.tables.numbers
            found = contents_of([hashes[numbers[hit.image]].as_py() for hit in hits])
            with contextlib.suppress(OSError):
                note_finds(gallery.folder.parent, found)
