"""Group names stay with their groups when the index changes."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from boxfind.searches import group_names as module
from boxfind.searches.errors import SavedSearchesProblem
from boxfind.searches.group_names import GroupName, GroupNames, by_content, labels_of
from boxfind.searches.saved_searches import Saved, SavedSearches
from retrieval.request import Request
from retrieval.types import Box

HERE, THERE = Box(0, 0, 10, 10), Box(50, 50, 80, 80)
CUPS = {"a.jpg": HERE, "b.jpg": HERE, "c.jpg": Box(5, 5, 20, 20)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "searches.sqlite"


def names(groups: list[dict[str, Box]], *labels: GroupName) -> dict[int, str]:
    return {place: label.name for place, label in labels_of(groups, labels).items()}


def test_nothing_is_on_disk_before_the_first_name(file: Path) -> None:
    assert GroupNames(file).all() == [] and not file.parent.exists()


def test_a_name_is_stored_changed_and_removed(file: Path) -> None:
    GroupNames(file).give("  cafe\N{COMBINING ACUTE ACCENT} cups ", CUPS)
    (label,) = GroupNames(file).all()
    assert label.name == "café cups" and label.places == CUPS
    GroupNames(file).give("mugs", CUPS, label.key)
    (label,) = GroupNames(file).all()
    assert label.name == "mugs"
    GroupNames(file).give("", CUPS, label.key)
    assert GroupNames(file).all() == []


def test_saved_searches_and_names_share_a_file(tmp_path: Path) -> None:
    saved = Saved("cup", Request(), datetime(2026, 5, 1, tzinfo=UTC), "gen-1", ())
    for number, first in enumerate(("search", "name")):
        file = tmp_path / f"{number}.sqlite"
        if first == "search":
            SavedSearches(file).save(saved, {})
            assert GroupNames(file).all() == []
        GroupNames(file).give("cups", CUPS)
        SavedSearches(file).save(saved, {})
        assert SavedSearches(file).names() == ["cup"] and [label.name for label in GroupNames(file).all()] == ["cups"]


@pytest.mark.parametrize("name", ["x" * 81, "two\nlines", "zero\0", "\N{RIGHT-TO-LEFT OVERRIDE}x"])
def test_invalid_names_are_refused(file: Path, name: str) -> None:
    with pytest.raises(SavedSearchesProblem, match=r"name has .+\."):
        GroupNames(file).give(name, CUPS)
    assert GroupNames(file).all() == []


def test_the_number_of_names_is_limited(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LABELS", 1)
    GroupNames(file).give("cups", CUPS)
    with pytest.raises(SavedSearchesProblem, match="remove one first"):
        GroupNames(file).give("hats", CUPS)
    (label,) = GroupNames(file).all()
    GroupNames(file).give("mugs", CUPS, label.key)
    assert [label.name for label in GroupNames(file).all()] == ["mugs"]


@pytest.mark.parametrize("text", ["", "5", "[]x", '[["a"]]', '[["a", 1, 2, "x", 4]]', '{"a": 1}'])
def test_an_unreadable_name_does_not_hide_the_others(file: Path, text: str) -> None:
    GroupNames(file).give("cups", CUPS)
    GroupNames(file).give("hats", CUPS)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE labels SET members = ? WHERE name = 'cups'", (text,))
    assert [label.name for label in GroupNames(file).all()] == ["hats"]


def test_a_name_follows_most_of_its_pictures() -> None:
    cups = GroupName(1, "cups", CUPS)
    hats = {"x.jpg": HERE, "y.jpg": HERE, "z.jpg": HERE}
    assert names([hats, {"a.jpg": HERE, "b.jpg": HERE, "d.jpg": THERE}], cups) == {1: "cups"}
    assert names([hats, {"a.jpg": HERE, "d.jpg": HERE, "e.jpg": HERE, "f.jpg": HERE}], cups) == {}
    assert names([], cups) == {} and names([hats]) == {}


def test_boxes_decide_between_groups_of_the_same_pictures() -> None:
    tables = dict.fromkeys(CUPS, THERE)
    assert names([tables, CUPS], GroupName(1, "cups", CUPS), GroupName(2, "tables", tables)) == {0: "tables", 1: "cups"}


def test_each_group_gets_its_best_matching_and_newest_name() -> None:
    part = {"a.jpg": HERE, "b.jpg": HERE}
    assert names([CUPS], GroupName(1, "some", part), GroupName(2, "all", CUPS)) == {0: "all"}
    assert names([CUPS], GroupName(1, "old", CUPS), GroupName(2, "new", CUPS)) == {0: "new"}
    assert names([CUPS, part], GroupName(1, "cups", CUPS)) == {0: "cups"}


def test_names_of_earlier_versions_are_matched_by_content() -> None:
    old = GroupName(1, "cups", CUPS)
    hashes = {image: image * 9 for image in CUPS}
    assert by_content(old, hashes).places == {hashes[image]: box for image, box in CUPS.items()}
    assert by_content(old, {}) == old


def test_contents_of_names_of_earlier_versions_are_learned(file: Path) -> None:
    names, hashes = GroupNames(file), {image: f"{number:064x}" for number, image in enumerate(CUPS)}
    names.give("cups", CUPS)
    names.learn_contents(hashes)
    (name,) = names.all()
    assert name.places == {hashes[image]: box for image, box in CUPS.items()} and not names.of_earlier_versions()
