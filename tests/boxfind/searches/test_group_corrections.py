"""Corrections of groups are kept in order, and the last one can be undone with the names it changed."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from boxfind.searches import group_corrections as module
from boxfind.searches.errors import SavedSearchesProblem
from boxfind.searches.group_corrections import GroupCorrections, LastCorrection
from boxfind.searches.group_names import GroupName, GroupNames
from index.groups.corrections import GroupCorrection, Place
from retrieval.types import Box

BOX = Box(1, 2, 11, 22)
A, B, C = (Place(name * 64, BOX) for name in "abc")
MOVE, MERGE = GroupCorrection((A, B), (A,), (C,)), GroupCorrection((A, B, C))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "searches.sqlite"


def names(file: Path) -> dict[str, set[str]]:
    return {name.name: set(name.places) for name in GroupNames(file).all()}


def last(store: GroupCorrections) -> LastCorrection:
    found = store.last()
    assert found is not None
    return found


def test_nothing_is_on_disk_before_the_first_correction(file: Path) -> None:
    store = GroupCorrections(file)
    assert store.last() is None and store.until(None) == [] and not file.parent.exists()


def test_corrections_are_returned_in_order_up_to_a_given_one(file: Path) -> None:
    GroupCorrections(file).add("moved", MOVE)
    first = last(GroupCorrections(file))
    GroupCorrections(file).add("merged", MERGE)
    second = last(GroupCorrections(file))
    assert (first.action, second.action) == ("moved", "merged")
    assert GroupCorrections(file).until(first) == [MOVE] and GroupCorrections(file).until(second) == [MOVE, MERGE]


def test_undo_removes_the_last_one_and_a_new_one_is_not_mistaken_for_it(file: Path) -> None:
    store = GroupCorrections(file)
    store.add("moved", MOVE)
    store.add("merged", MERGE)
    undone = last(store)
    store.undo(undone)
    assert store.until(store.last()) == [MOVE]
    store.add("merged", MERGE)
    assert last(store).key != undone.key
    with pytest.raises(SavedSearchesProblem, match="nothing was undone"):
        store.undo(undone)
    assert store.until(store.last()) == [MOVE, MERGE]


def test_undo_restores_the_names_that_the_correction_changed(file: Path) -> None:
    GroupNames(file).give("cups", {A.sha256: BOX})
    GroupNames(file).give("mugs", {B.sha256: BOX, C.sha256: BOX})
    GroupNames(file).give("hats", {"d": BOX})
    before, (cups, mugs, _) = names(file), GroupNames(file).all()
    store = GroupCorrections(file)
    whole = {place.sha256: BOX for place in (A, B, C)}
    store.add("merged", MERGE, [GroupName(mugs.key, "", {}), GroupName(cups.key, "cups", whole)])
    assert names(file) == {"hats": {"d"}, "cups": set(whole)}
    assert store.undo(last(store))
    assert names(file) == before


@pytest.mark.parametrize("turned", [False, True], ids=["same members", "members in another order"])
def test_undo_leaves_a_newer_name_alone(file: Path, turned: bool) -> None:
    GroupNames(file).give("cups", {place.sha256: BOX for place in (A, B, C)})
    GroupNames(file).give("hats", {"d": BOX})
    store, rest = GroupCorrections(file), {B.sha256: BOX, C.sha256: BOX}
    store.add("removed", GroupCorrection((), (A,), (B, C)), [GroupName(1, "cups", rest)])
    cups = next(name for name in GroupNames(file).all() if name.name == "cups")
    GroupNames(file).give("mugs", dict(reversed(rest.items())) if turned else rest, cups.key)
    assert not store.undo(last(store))
    assert names(file) == {"hats": {"d"}, "mugs": set(rest)} and store.last() is None


def test_a_refused_name_stores_no_correction(file: Path) -> None:
    store = GroupCorrections(file)
    with pytest.raises(SavedSearchesProblem, match="unprintable"):
        store.add("split", MOVE, [GroupName(0, "two\nlines", {A.sha256: BOX})])
    assert store.last() is None and names(file) == {}


def test_the_number_of_corrections_is_limited(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CORRECTIONS", 1)
    GroupCorrections(file).add("moved", MOVE)
    with pytest.raises(SavedSearchesProblem, match="already 1 corrections"):
        GroupCorrections(file).add("moved", MOVE)


def removal(number: int, group: Sequence[Place]) -> GroupCorrection:
    """The removal of one member after those before it."""
    return GroupCorrection((), (group[number],), tuple(group[number + 1 :]))


def test_removals_from_one_group_are_one_correction_and_undone_one_by_one(file: Path) -> None:
    store, group = GroupCorrections(file), [A, B, C, Place("d" * 64, BOX)]
    store.add("moved", MOVE)
    for number in range(3):
        store.add(f"removed {number}", removal(number, group))
    assert store.until(last(store)) == [MOVE, GroupCorrection((), (A, B, C), (group[3],))]
    store.undo(last(store))
    assert store.until(last(store)) == [MOVE, GroupCorrection((), (A, B), (C, group[3]))]
    store.add("merged", MERGE)
    store.add("removed", removal(2, group))
    assert GroupCorrections(file).until(last(store))[2:] == [MERGE, removal(2, group)]


def test_a_removal_that_continues_an_unreadable_one_is_left_out(file: Path) -> None:
    store, group = GroupCorrections(file), [A, B, C, Place("d" * 64, BOX)]
    store.add("moved", MOVE)
    for number in range(2):
        store.add(f"removed {number}", removal(number, group))
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE corrections SET correction = '' WHERE action = 'removed 0'")
    store = GroupCorrections(file)
    assert store.until(last(store)) == [MOVE]
    store.add("removed 2", removal(2, group))
    assert store.until(last(store)) == [MOVE, removal(2, group)]


def test_removals_from_different_groups_stay_two_corrections(file: Path) -> None:
    store, other = GroupCorrections(file), GroupCorrection((), (B,), (Place("d" * 64, BOX),))
    store.add("removed", removal(0, [A, B, C]))
    store.add("removed", other)
    assert store.until(last(store)) == [removal(0, [A, B, C]), other]


def test_the_cost_of_removals_is_not_their_number_times_the_size_of_the_group(file: Path) -> None:
    store, group = GroupCorrections(file), [Place(f"{number:064x}", BOX) for number in range(500)]
    for number in range(50):
        store.add("removed", removal(number, group))
    assert file.stat().st_size < 3 * 500 * 100


def test_the_number_of_places_in_all_corrections_is_limited(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PLACES", 11)
    store = GroupCorrections(file)
    store.add("moved", MOVE)
    store.add("moved", MOVE)
    store.add("merged", MERGE)
    with pytest.raises(SavedSearchesProblem, match="can name 11 pictures"):
        store.add("moved", GroupCorrection((A,)))
    store.undo(last(store))
    store.add("moved", GroupCorrection((A,)))


def test_only_new_corrections_are_parsed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, parse = GroupCorrections(file), MagicMock(wraps=module._correction)
    monkeypatch.setattr(module, "_correction", parse)
    for _ in range(5):
        store.add("moved", MOVE)
        assert store.until(last(store))[-1] == MOVE
    assert parse.call_count == 5


@pytest.mark.parametrize("box", ["1", '1, 2, 3, "x"', "1, 2, 3, 1e99", "1, 2, 3, 99999999999999999999"])
def test_boxes_of_no_picture_are_refused(file: Path, box: str) -> None:
    store, text = GroupCorrections(file), f'{{"together": [["a", {box}]], "chosen": [], "remaining": []}}'
    store.add("moved", MOVE)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE corrections SET correction = ?", (text,))
    assert store.until(store.last()) == []


@pytest.mark.parametrize("text", ["", "5", "[]", "{}", "null"])
def test_an_unreadable_correction_does_not_hide_the_others(file: Path, text: str) -> None:
    store = GroupCorrections(file)
    store.add("moved", MOVE)
    store.add("merged", MERGE)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE corrections SET correction = ?, names = ? WHERE action = 'moved'", (text, text))
    store = GroupCorrections(file)
    assert store.until(last(store)) == [MERGE]
    store.undo(last(store))
    store.undo(last(store))
    assert store.last() is None
