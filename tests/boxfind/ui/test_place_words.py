"""Where in its file a picture is, in plain words."""

from dataclasses import replace

import pytest

from boxfind.ui.place_words import also_words, clock, entry_in_words, name_in_words, place_number
from index.storage.tables import ImageEntry

ENTRY = ImageEntry("a.tif", b"a.tif", 10, 10, 1, 0.0, "", "", 0, 0)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("shop/catalogue.pdf#page=12", "shop/catalogue.pdf, page 12"),
        ("anim.gif#frame=8", "anim.gif, frame 8"),
        ("trip.mp4#t=83.20", "trip.mp4, at 1:23.20"),
        ("trip.mp4#t=83.00", "trip.mp4, at 1:23"),
        ("photo #3.jpg", "photo #3.jpg"),
    ],
)
def test_a_query_is_named_by_its_place(name: str, words: str) -> None:
    assert name_in_words(name) == words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "a.tif"),
        ({"file_sha256": "x"}, "a.tif, page 1"),
        ({"image": "a.gif", "file_sha256": "x"}, "a.gif, frame 1"),
        ({"image": "a.mp4#t=3661.99", "place": "t=3661.99", "file_sha256": "x"}, "a.mp4, at 1:01:01"),
        ({"image": "odd#page=2"}, "odd#page=2"),
    ],
)
def test_a_gallery_picture_is_named_by_its_place(changes: dict[str, str], words: str) -> None:
    assert entry_in_words(replace(ENTRY, **changes)) == words


@pytest.mark.parametrize(("seconds", "told"), [(0, "0:00"), (59.999, "1:00"), (600, "10:00"), (7325, "2:02:05")])
def test_times_are_told_like_on_a_player(seconds: float, told: str) -> None:
    assert clock(seconds, exact=True) == told


def test_places_are_sorted_by_number_and_time() -> None:
    assert sorted(["page=10", "page=9"], key=place_number) == ["page=9", "page=10"]
    assert place_number("t=83.20") == 83.2
    assert [also_words(place)[1] for place in ("page=1", "frame=1", "t=1.00")] == [
        "also on pages",
        "also in frames",
        "also at",
    ]
    assert also_words("t=1.00", found=False) == ("other moment", "other moments")
