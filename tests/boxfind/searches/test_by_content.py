"""What a saved search names by path is found again after pictures and folders were renamed, moved and exchanged."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from boxfind.searches.by_content import (
    UNKNOWN,
    NamedContents,
    contents_from_json,
    named_contents,
    with_current_names,
)
from index.storage.tables import Tables
from retrieval.request import Request
from tests.boxfind.searches.made_tables import made_tables

MakeTables = Callable[[Mapping[str, str]], Tables]

BEFORE = {"a/1.jpg": "cup", "a/2.jpg": "hat", "b/deep/3.jpg": "pen", "b/deep/4.jpg": "key", "c.jpg": "owl"}


@pytest.fixture
def tables_of(tmp_path: Path) -> MakeTables:
    """Tables of pictures with these ids and contents."""
    return partial(made_tables, tmp_path)


def now(request: Request, after: Mapping[str, str], tables_of: MakeTables) -> Request:
    """A request that was saved with the pictures of BEFORE, with those of `after`."""
    contents = named_contents(request, tables_of(BEFORE))
    assert contents_from_json(contents.to_json()) == contents
    return with_current_names(request, contents, tables_of(after))


def test_marks_follow_renamed_pictures_and_folders(tables_of: MakeTables) -> None:
    request = Request(positives=("a/1.jpg", "c.jpg"), negatives=("b/deep/3.jpg",))
    assert now(request, BEFORE, tables_of) == request
    after = {"A b/1.jpg": "cup", "z.jpg": "owl", "b/3.jpg": "pen"}
    assert now(request, after, tables_of) == Request(positives=("A b/1.jpg", "z.jpg"), negatives=("b/3.jpg",))


def test_marks_follow_pictures_whose_names_were_exchanged(tables_of: MakeTables) -> None:
    request = Request(positives=("a/1.jpg",), negatives=("a/2.jpg",))
    after = {"a/1.jpg": "hat", "a/2.jpg": "cup"}
    assert now(request, after, tables_of) == Request(positives=("a/2.jpg",), negatives=("a/1.jpg",))


def test_of_copies_each_mark_keeps_its_own(tables_of: MakeTables) -> None:
    copies = {"x/1.jpg": "cup", "x/2.jpg": "cup"}
    request = Request(positives=("x/2.jpg",), negatives=("x/1.jpg",))
    contents = named_contents(request, tables_of(copies))
    assert with_current_names(request, contents, tables_of(copies)) == request
    found = with_current_names(request, contents, tables_of({"y/1.jpg": "cup", "y/2.jpg": "cup"}))
    assert {*found.positives, *found.negatives} == {"y/1.jpg", "y/2.jpg"}
    only = with_current_names(request, contents, tables_of({"x/2.jpg": "cup"}))
    assert (only.positives, only.negatives) == (("x/2.jpg",), ("x/1.jpg",))


def test_a_picture_that_was_edited_or_deleted_keeps_its_name_and_may_come_back(tables_of: MakeTables) -> None:
    request = Request(positives=("a/1.jpg", "c.jpg"))
    contents = named_contents(request, tables_of(BEFORE))
    edited = tables_of({"a/1.jpg": "cup in colour"})
    assert with_current_names(request, contents, edited) == request
    kept = named_contents(request, edited, contents)
    assert with_current_names(request, kept, tables_of({"back.jpg": "owl"})).positives == ("a/1.jpg", "back.jpg")


@pytest.mark.parametrize(
    ("after", "folder"),
    [
        (BEFORE, "b/deep"),
        ({"b/new name/3.jpg": "pen", "b/new name/4.jpg": "key"}, "b/new name"),
        ({"x/y/deep/3.jpg": "pen", "x/y/deep/4.jpg": "key"}, "x/y/deep"),
        ({"one/3.jpg": "pen", "two/4.jpg": "key"}, "b/deep"),
        ({"other.jpg": "pen", "b.jpg": "key"}, "b/deep"),
        ({"b/deep/3.jpg": "edited", "x/3.jpg": "pen", "x/4.jpg": "key"}, "b/deep"),
    ],
)
def test_the_folder_is_where_most_of_its_pictures_are(
    after: Mapping[str, str], folder: str, tables_of: MakeTables
) -> None:
    assert now(Request(folder="b/deep"), after, tables_of).folder == folder


def test_a_large_folder_is_known_by_a_sample(tables_of: MakeTables) -> None:
    many = {f"f/{number:03}.jpg": str(number) for number in range(300)}
    contents = named_contents(Request(folder="f"), tables_of(many))
    assert 32 < len(contents.folder) <= 64 and contents.folder[-1][0] > "250"
    assert named_contents(Request(), tables_of(many)) == UNKNOWN


@pytest.mark.parametrize("text", ["", "5", "[]", "[[], [5]]", "[[[1]], []]", "{"])
def test_malformed_contents_are_unknown(text: str, tables_of: MakeTables) -> None:
    assert contents_from_json(text) == UNKNOWN == NamedContents()
    request = Request(positives=("gone.jpg",), folder="a")
    assert with_current_names(request, UNKNOWN, tables_of(BEFORE)) == request
