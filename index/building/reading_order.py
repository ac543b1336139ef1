"""The order in which pictures are read for their text or keypoints: those first that people have just found."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from index.storage.recent_finds import recent_finds

LOOK_EVERY = 1.0
"""Seconds between looks at what searches find meanwhile."""

T = TypeVar("T")


def recent_first(unread: Mapping[int, T], index_dir: Path) -> Iterator[tuple[int, T]]:
    """All of these pictures, by their contents: the finds of recent searches first, the others in their order.

    A search that ends while the pictures are being taken counts, too.
    """
    waiting, others = dict(unread), iter(unread)
    recent: list[int] = []
    looked = float("-inf")
    while waiting:
        if time.monotonic() - looked >= LOOK_EVERY:
            recent = [one for one in recent_finds(index_dir).tolist()[::-1] if one in waiting]
            looked = time.monotonic()
        contents = recent.pop() if recent else next(others)
        if contents in waiting:
            yield contents, waiting.pop(contents)
