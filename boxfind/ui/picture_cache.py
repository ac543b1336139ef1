"""Cache pictures for all visitors, decoded or as JPEGs, bounded in bytes and in time."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from cachetools import TTLCache

from retrieval.images.decode import LoadedImage

T = TypeVar("T")

MOST_BYTES = 512_000_000
SECONDS = 30.0
"""A picture is forgotten this long after its last use; a page that needs it again decodes it again."""


class BoundedCache(Generic[T]):
    """Values by key. The least recently used ones make room for new ones. Thread-safe."""

    def __init__(
        self,
        most_bytes: int,
        seconds: float,
        size: Callable[[T], int],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._values: TTLCache[Hashable, T] = TTLCache(most_bytes, seconds, timer, getsizeof=size)
        self._lock = threading.Lock()
        self._size = size

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value with this key, made if it is not in the cache."""
        with self._lock:
            value = self._values.get(key)
        if value is None:
            value = make()
        with self._lock:
            if self._size(value) <= self._values.maxsize:
                self._values[key] = value  # its time starts again
        return value

    def expire(self) -> int:
        """Forget the values whose time is over. Returns their number."""
        with self._lock:
            return len(list(self._values.expire()))

    @property
    def bytes(self) -> int:
        with self._lock:
            return int(self._values.currsize)


class PictureCache(BoundedCache[LoadedImage]):
    """Decoded pictures by SHA-256. Their pixels are read-only."""

    def __init__(
        self,
        most_bytes: int = MOST_BYTES,
        seconds: float = SECONDS,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(most_bytes, seconds, lambda picture: picture.image.nbytes, timer)

    def get(self, key: Hashable, make: Callable[[], LoadedImage]) -> LoadedImage:
        def read_only() -> LoadedImage:
            picture = make()
            picture.image.setflags(write=False)
            return picture

        return super().get(key, read_only)
