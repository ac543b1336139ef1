"""Start and stop the watching of the gallery folders."""

import atexit
import threading
import time
from collections.abc import Callable
from functools import partial

from boxfind.builds import Builds
from boxfind.folder_watch import FolderWatch, WatchStatus
from boxfind.settings import Settings
from index.gallery import Gallery
from index.operations.folder_events import ChangeSource, open_source

JOIN = 10.0
"""Most seconds to wait for a watch to end. One that waits for a drive that does not answer ends when that does."""


class Watcher:
    """Watches the folders of one gallery between `start` and `stop`. Thread-safe."""

    def __init__(
        self,
        settings: Settings,
        builds: Builds,
        gallery: Callable[[], Gallery],
        open_source: Callable[..., ChangeSource] = open_source,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`gallery` returns the served one. `open_source` and `clock` are for tests."""
        self._is_sample = settings.is_sample
        self._new_watch = partial(FolderWatch, settings, builds, gallery, open_source, clock)
        self._lock = threading.Lock()
        self._watch: FolderWatch | None = None
        self._thread: threading.Thread | None = None

    @property
    def status(self) -> WatchStatus:
        watch = self._watch
        return watch.status if watch else WatchStatus()

    def start(self) -> None:
        """Watch from now on. Do nothing if it is watching already, and for the sample gallery."""
        with self._lock:
            if self._watch is not None or self._is_sample:
                return
            self._watch = self._new_watch()
            self._thread = threading.Thread(target=self._watch.run, name="folder watcher", daemon=True)
            self._thread.start()
            atexit.register(self.stop)  # the thread must not be waiting in the library while Python ends

    def stop(self) -> None:
        """Stop watching, and wait until the thread has ended, but JOIN at most. Do nothing if it is not watching."""
        with self._lock:
            watch, self._watch = self._watch, None
            if watch is None or self._thread is None:
                return
            watch.stop.set()
            self._thread.join(JOIN)  # a comparison of a large folder may take longer, and is its last one
            atexit.unregister(self.stop)
