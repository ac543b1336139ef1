"""Decoded pictures of all visitors are bounded in bytes and in time."""

import numpy as np
import pytest

from boxfind.ui.picture_cache import PictureCache
from retrieval.images.decode import LoadedImage

SIZE = 3 * 100 * 100


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def cache(clock: list[float]) -> PictureCache:
    return PictureCache(most_bytes=2 * SIZE, seconds=30, timer=lambda: clock[0])


def picture() -> LoadedImage:
    return LoadedImage.of(np.zeros((100, 100, 3), np.uint8))


def kept() -> LoadedImage:
    pytest.fail("it was decoded again")


def test_r59_decoded_pictures_are_bounded_in_bytes(cache: PictureCache) -> None:
    for key in "abc":
        cache.get(key, picture)
        assert cache.bytes <= 2 * SIZE
    cache.get("b", kept)
    cache.get("d", picture)  # takes the place of c, which was used before b
    cache.get("b", kept)
    again = cache.get("c", picture)
    assert not again.image.flags.writeable


def test_r59_a_picture_larger_than_the_cache_is_not_kept(cache: PictureCache) -> None:
    large = LoadedImage.of(np.zeros((300, 300, 3), np.uint8))
    assert cache.get("a", lambda: large) is large and cache.bytes == 0


def test_r59_decoded_pictures_are_forgotten_after_their_last_use(cache: PictureCache, clock: list[float]) -> None:
    cache.get("a", picture)
    clock[0] = 20
    cache.get("a", kept)
    clock[0] = 45
    cache.get("a", kept)
    assert cache.expire() == 0
    clock[0] = 76
    assert cache.expire() == 1 and cache.bytes == 0
