"""Keep uploaded query pictures for some time under ids that nobody can guess, so that an address can name them."""

import re
import secrets
import threading
import time
from collections.abc import Callable
from functools import cache

from cachetools import TTLCache

from boxfind.ui.session import Picture

MOST_BYTES = 500_000_000
HOURS = 2
"""A picture is forgotten this long after its last use."""
ID = re.compile(r"[A-Za-z0-9_-]{22}")


class KeptPictures:
    """The pictures of all visitors. The least recently used ones make room for new ones. Thread-safe.

    Whoever knows the id of a picture can open it. Open pages refer to the same objects, so nothing is in memory twice.
    """

    def __init__(
        self, most_bytes: int = MOST_BYTES, hours: float = HOURS, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._pictures: TTLCache[str, Picture] = TTLCache(
            most_bytes, 3600 * hours, timer, getsizeof=lambda picture: len(picture.data)
        )
        self._lock = threading.Lock()

    def keep(self, token: str, picture: Picture) -> None:
        """Keep a picture under an id, and let its time start again. One of more than `most_bytes` is not kept."""
        with self._lock:
            if len(picture.data) <= self._pictures.maxsize:
                self._pictures[token] = picture

    def get(self, token: str) -> Picture | None:
        with self._lock:
            return self._pictures.get(token)

    def expire(self) -> int:
        """Forget the pictures whose time is over. Returns their number."""
        with self._lock:
            return len(list(self._pictures.expire()))


@cache
def kept_pictures() -> KeptPictures:
    """The pictures kept by this process."""
    return KeptPictures()


def new_id() -> str:
    """128 random bits, which say nothing about the picture."""
    return secrets.token_urlsafe(16)
