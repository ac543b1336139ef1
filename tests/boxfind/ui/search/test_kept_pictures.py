"""Uploaded query pictures are kept for a limited time, within bounds, and under ids that say nothing about them."""

import pytest

from boxfind.ui.search.kept_pictures import ID, KeptPictures, new_id
from boxfind.ui.session import Picture

CUP, MUG, HAT = (Picture(f"{name}.jpg", 4 * name[:1].encode()) for name in ("cup", "mug", "hat"))


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def kept(clock: list[float]) -> KeptPictures:
    return KeptPictures(most_bytes=10, hours=2, timer=lambda: clock[0])


def test_r59_kept_pictures_are_bounded_in_bytes(kept: KeptPictures) -> None:
    kept.keep("cup", CUP)
    kept.keep("mug", MUG)
    kept.keep("cup", CUP)
    kept.keep("hat", HAT)  # takes the place of the mug, which was used before the cup
    kept.keep("huge", Picture("huge.jpg", 11 * b"x"))
    assert [kept.get(token) for token in ("cup", "mug", "hat", "huge")] == [CUP, None, HAT, None]


def test_r59_kept_pictures_are_forgotten_after_their_last_use(kept: KeptPictures, clock: list[float]) -> None:
    kept.keep("cup", CUP)
    kept.keep("mug", MUG)
    clock[0] = 7000
    kept.keep("cup", CUP)
    clock[0] = 7300
    assert kept.expire() == 1 and kept.get("mug") is None
    assert kept.get("cup") is CUP


def test_ids_are_random() -> None:
    ids = {new_id() for _ in range(100)}
    assert len(ids) == 100 and all(map(ID.fullmatch, ids))
