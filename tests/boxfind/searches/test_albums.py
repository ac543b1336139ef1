"""Albums keep sets of pictures under names."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from boxfind.searches import albums as module
from boxfind.searches.albums import Album, Albums
from boxfind.searches.errors import SavedSearchesProblem
from boxfind.searches.saved_searches import Saved, SavedSearches
from retrieval.request import Request


@pytest.fixture
def albums(tmp_path: Path) -> Albums:
    return Albums(tmp_path / "kept" / "searches.sqlite")


def test_nothing_is_on_disk_before_the_first_album(albums: Albums, tmp_path: Path) -> None:
    assert albums.names() == albums.names_with("a") == [] and albums.get("x") == Album("x")
    assert not (tmp_path / "kept").exists()


def test_pictures_are_added_once_and_removed(albums: Albums) -> None:
    albums.add("  cafe\N{COMBINING ACUTE ACCENT} ", ["a", "b"])
    albums.add("café", ["b", "c", "c"])
    before = albums.get("café")
    assert before.pictures == {"a", "b", "c"} and albums.names() == ["café"]
    albums.remove("café", ["a", "unknown"])
    after = albums.get("café")
    assert after.pictures == {"b", "c"} and after.changed != before.changed
    assert albums.names_with("a") == [] and albums.names_with("b") == ["café"]


def test_an_album_can_be_empty(albums: Albums) -> None:
    albums.add("later", [])
    assert albums.names() == ["later"] and not albums.get("later").pictures


def test_a_renamed_album_keeps_its_pictures(albums: Albums) -> None:
    albums.add("one", ["a"])
    albums.add("Two", ["b"])
    albums.rename("one", "three")
    assert albums.names() == ["three", "Two"] and albums.get("three").pictures == {"a"}
    with pytest.raises(SavedSearchesProblem, match="already exists"):
        albums.rename("three", "Two")
    with pytest.raises(SavedSearchesProblem, match="no longer exists"):
        albums.rename("one", "four")
    albums.rename("three", " three ")
    assert albums.get("three").pictures == {"a"}


def test_a_deleted_album_takes_no_picture_of_another_one(albums: Albums) -> None:
    albums.add("one", ["a", "b"])
    albums.add("two", ["a"])
    albums.delete("one")
    albums.delete("never")
    assert albums.names() == ["two"] and albums.names_with("a") == ["two"] and albums.names_with("b") == []
    with pytest.raises(SavedSearchesProblem, match="no longer exists"):
        albums.remove("one", ["a"])


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\nb"])
def test_unusable_names_are_refused(albums: Albums, name: str) -> None:
    with pytest.raises(SavedSearchesProblem):
        albums.add(name, ["a"])
    assert albums.names() == []


def test_there_are_limits_and_a_refused_change_changes_nothing(albums: Albums, monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST_ALBUMS", 1)
    monkeypatch.setattr(module, "MOST_PICTURES", 2)
    albums.add("one", ["a", "b"])
    with pytest.raises(SavedSearchesProblem, match="at most 2"):
        albums.add("one", ["c"])
    with pytest.raises(SavedSearchesProblem, match="already 1"):
        albums.add("two", ["a"])
    assert albums.names() == ["one"] and albums.get("one").pictures == {"a", "b"}


def test_saved_searches_and_albums_share_a_file(tmp_path: Path) -> None:
    saved = Saved("cup", Request(), datetime(2026, 5, 1, tzinfo=UTC), "gen-1", ())
    for first in (True, False):
        file = tmp_path / f"{first}.sqlite"
        if first:
            SavedSearches(file).save(saved, {})
        Albums(file).add("one", ["a"])
        SavedSearches(file).save(saved, {})
        assert Albums(file).names() == ["one"] and SavedSearches(file).names() == ["cup"]
