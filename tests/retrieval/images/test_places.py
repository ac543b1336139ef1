"""Names of pictures inside files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.images.places import (
    frame_place,
    join_id,
    number_of,
    page_place,
    picture_sha256,
    place_after,
    place_title,
    seconds_of,
    split_id,
    time_place,
)

FILES = st.text(min_size=1, max_size=30)
PLACES = st.one_of(
    st.integers(1, 99_999).map(page_place),
    st.integers(1, 99_999).map(frame_place),
    st.floats(0, 86_400).map(time_place),
)


@given(FILES, PLACES)
def test_an_id_splits_into_what_it_was_joined_from(file, place):
    assert split_id(join_id(file, place)) == (file, place)


@given(FILES)
def test_the_first_picture_has_the_id_of_its_file(file):
    assert join_id(file, "") == file


@pytest.mark.parametrize(
    "name",
    [
        "a#b.jpg",
        "a#page=0",
        "a#page=01",
        "a#page=",
        "a#t=1",
        "a#t=1.5",
        "a#page=3.jpg",
        "#page=3",
        "a#frame=-1",
        "a#page=3\n",
    ],
)
def test_other_names_with_a_number_sign_are_whole(name):
    assert split_id(name) == (name, "")


def test_the_last_place_counts():
    assert split_id("a#page=2#page=3") == ("a#page=2", "page=3")


def test_numbers_and_seconds():
    assert (number_of("page=12"), number_of("frame=8"), number_of("")) == (12, 8, 1)
    assert seconds_of(time_place(83.2)) == 83.2 and time_place(83.2) == "t=83.20"
    assert [place_after(place) for place in ("", "page=9", "t=1.99")] == ["page=2", "page=10", "t=2.00"]


def test_places_as_people_read_them():
    places = ["page=12", "frame=8", "t=0.00", "t=83.20", "t=3723.99", ""]
    assert [place_title(place) for place in places] == ["page 12", "frame 8", "0:00", "1:23", "1:02:03", ""]


def test_pages_of_a_file_are_known_by_different_hashes():
    file = "ab" * 32
    assert picture_sha256(file, "") == file
    assert len({picture_sha256(file, page_place(number)) for number in range(1, 9)} | {file}) == 9
