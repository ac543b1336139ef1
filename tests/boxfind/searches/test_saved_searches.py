"""Saved searches are restored unchanged, with their pictures, which are deleted once unused."""

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from boxfind.searches import saved_searches as module
from boxfind.searches.by_content import named_contents
from boxfind.searches.errors import SavedSearchesProblem
from boxfind.searches.known_contents import digests
from boxfind.searches.saved_searches import MOST_HITS, Saved, SavedSearches
from retrieval.request import Example, Request
from retrieval.types import Box
from tests.boxfind.searches.made_tables import EMPTY, made_tables

CUP, HAT = b"a JPEG of a cup", b"a JPEG of a hat"
MADE = datetime(2026, 5, 1, 12, 30, 15, 123456, tzinfo=UTC)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def request(*pictures: bytes) -> Request:
    roles = ["object", *["view"] * len(pictures)]
    return Request(
        tuple(Example(sha256(data), Box(1, 2, 30, 40), role) for data, role in zip(pictures, roles, strict=False)),
        "fast",
        1.2,
        "below",
        ("é/1.jpg", "line\nbreak.jpg"),
        ("=2.jpg",),
    )


def saved(name: str, *pictures: bytes, minutes: int = 0) -> Saved:
    return Saved(name, request(*pictures), MADE + timedelta(minutes=minutes), "gen-000001-ab", ("b.jpg", "a.jpg"))


def given(*pictures: bytes) -> dict[str, bytes]:
    return {sha256(data): data for data in pictures}


def tamper(book: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(book)) as connection, connection:
        connection.execute(statement, values)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "kept here?" / "100% mine#.sqlite"


@pytest.fixture
def book(file: Path) -> SavedSearches:
    return SavedSearches(file)


def test_nothing_is_on_disk_before_the_first_search_is_saved(book: SavedSearches, file: Path):
    assert (book.names(), book.all(), book.get("cup"), book.picture(sha256(CUP)), book.delete("cup")) == (
        [],
        [],
        None,
        None,
        None,
    )
    for change in (lambda: book.rename("cup", "mug"), lambda: book.mark(saved("cup"), Request(), Request(), EMPTY)):
        with pytest.raises(SavedSearchesProblem, match="saved search 'cup' no longer exists"):
            change()
    with pytest.raises(SavedSearchesProblem, match="name"):
        book.save(saved(" "), {})
    assert not file.parent.exists()
    book.save(saved("cup", CUP), given(CUP))
    assert file.exists() and book.take_notice() is None


def test_a_search_is_restored_unchanged(book: SavedSearches, file: Path):
    one = saved("cup", CUP, HAT)
    book.save(one, given(CUP, HAT))
    assert SavedSearches(file).get("cup") == one == book.all()[0]
    assert (book.picture(sha256(CUP)), book.picture(sha256(HAT)), book.picture("0" * 64)) == (CUP, HAT, None)


def test_times_are_stored_with_their_zone(book: SavedSearches):
    east = replace(saved("cup"), made=MADE.astimezone(timezone(timedelta(hours=9))))
    book.save(east, {})
    kept = book.get("cup")
    assert kept is not None and kept.made == MADE and kept.made.utcoffset() == timedelta(0)


def test_newest_first(book: SavedSearches):
    for name, minutes in (("b", 1), ("c", 2), ("a", 0), ("also c", 2)):
        book.save(saved(name, minutes=minutes), {})
    assert book.names() == ["also c", "c", "b", "a"] == [one.name for one in book.all()]


def test_a_search_replaces_one_of_the_same_name(book: SavedSearches):
    book.save(saved("cup", CUP), given(CUP))
    later = saved(" cup\n", HAT, minutes=1)
    book.save(later, given(HAT))
    assert book.all() == [replace(later, name="cup")]
    assert book.picture(sha256(CUP)) is None and book.picture(sha256(HAT)) == HAT


def test_pictures_are_kept_while_a_search_uses_them(book: SavedSearches):
    book.save(saved("cup", CUP, HAT), given(CUP, HAT))
    book.save(saved("hat", HAT), {})
    book.delete("cup")
    book.save(saved("other"), given(b"needed by none"))
    assert book.picture(sha256(HAT)) == HAT
    assert book.picture(sha256(CUP)) is None and book.picture(sha256(b"needed by none")) is None


def test_a_deleted_search_can_be_restored(book: SavedSearches):
    one = saved("cup", CUP)
    book.save(one, given(CUP))
    deleted = book.delete(" cup ")
    assert deleted == one and book.names() == [] and book.delete("cup") is None
    book.save(deleted, {})
    assert book.get("cup") == one and book.picture(sha256(CUP)) == CUP


def test_a_damaged_picture_is_not_returned(book: SavedSearches, file: Path):
    book.save(saved("cup", CUP), given(CUP))
    tamper(file, "UPDATE pictures SET jpeg = ?", b"something else")
    assert book.picture(sha256(CUP)) is None
    book.save(saved("cup", CUP), given(CUP))
    assert book.picture(sha256(CUP)) == CUP


def test_renaming(book: SavedSearches):
    one = saved("cup", CUP)
    book.save(one, given(CUP))
    book.save(saved("hat", minutes=-1), {})
    book.rename("cup ", " mug")
    assert book.get("mug") == replace(one, name="mug") and book.get("cup") is None
    book.rename("mug", "mug")
    with pytest.raises(SavedSearchesProblem, match="'hat' already"):
        book.rename("mug", "hat")
    with pytest.raises(SavedSearchesProblem, match="saved search 'cup' no longer exists"):
        book.rename("cup", "kettle")
    assert book.names() == ["mug", "hat"] and book.picture(sha256(CUP)) == CUP


def test_mark_changes_only_the_marks(book: SavedSearches):
    one = saved("cup", CUP)
    book.save(one, given(CUP))
    marked = replace(one, request=replace(one.request, positives=("new.jpg",), negatives=()))
    assert book.mark(one, one.request, Request(ranking="best", positives=("new.jpg",)), EMPTY) == marked
    assert book.get("cup") == marked
    with pytest.raises(SavedSearchesProblem, match="saved search 'hat' no longer exists"):
        book.mark(saved("hat"), Request(), Request(), EMPTY)
    with pytest.raises(SavedSearchesProblem, match="it marks a picture as right or wrong more than once"):
        book.mark(one, Request(), Request(positives=("a",), negatives=("a",)), EMPTY)


def test_marks_of_others_stay(book: SavedSearches):
    one = replace(saved("cup", CUP), request=Request(positives=("both.jpg",)))
    book.save(one, {})
    book.mark(one, one.request, Request(positives=("both.jpg", "theirs.jpg")), EMPTY)
    book.mark(one, one.request, Request(negatives=("mine.jpg",)), EMPTY)
    found = book.get("cup")
    assert found and (found.request.positives, found.request.negatives) == (("theirs.jpg",), ("mine.jpg",))
    book.mark(one, Request(), Request(negatives=("theirs.jpg",)), EMPTY)
    found = book.get("cup")
    assert found and (found.request.positives, found.request.negatives) == ((), ("mine.jpg", "theirs.jpg"))


def test_marks_of_renamed_pictures_are_changed_under_their_new_names(book: SavedSearches, tmp_path: Path):
    before = made_tables(tmp_path, {"a/1.jpg": "cup", "a/2.jpg": "hat"})
    request = Request(positives=("a/1.jpg", "a/2.jpg"))
    book.save(replace(saved("cup"), request=request, contents=named_contents(request, before)), {})
    after = made_tables(tmp_path, {"b/1.jpg": "cup", "b/2.jpg": "hat"})
    opened = [one.in_gallery(after) for one in book.all()]
    assert opened[0].request.positives == ("b/1.jpg", "b/2.jpg")
    book.mark(opened[0], opened[0].request, Request(positives=("b/2.jpg",)), after)
    kept = book.get("cup")
    assert kept and kept.request.positives == ("b/2.jpg",) and kept.contents == named_contents(kept.request, after)


def test_contents_of_searches_of_earlier_versions_are_learned_once(book: SavedSearches, file: Path, tmp_path: Path):
    old = replace(saved("cup"), request=Request(positives=("a/1.jpg",), folder="a"))
    book.save(old, {})
    book.save(saved("hat", minutes=1), {})
    tamper(file, "DROP TABLE named_contents")
    assert book.get("cup") == old and [one.name for one in book.of_earlier_versions()] == ["hat", "cup"]
    before = made_tables(tmp_path, {"a/1.jpg": "cup"})
    book.learn_contents(before)
    assert book.get("cup") == replace(old, contents=named_contents(old.request, before))
    book.learn_contents(made_tables(tmp_path, {"a/1.jpg": "another"}))
    assert book.get("cup") == replace(old, contents=named_contents(old.request, before))
    found = book.get("hat")
    assert found == saved("hat", minutes=1)


def test_marks_do_not_go_to_a_later_search_of_the_same_name(book: SavedSearches):
    one = saved("cup", CUP)
    later = saved("cup", HAT, minutes=1)
    book.save(one, given(CUP))
    book.save(later, given(HAT))
    with pytest.raises(SavedSearchesProblem, match="replaced or deleted"):
        book.mark(one, one.request, Request(positives=("new.jpg",)), EMPTY)
    assert book.get("cup") == later


def test_names_are_compared_after_normalisation(book: SavedSearches):
    book.save(saved("cafe\N{COMBINING ACUTE ACCENT}"), {})
    assert book.get("café") and book.names() == ["café"]


@pytest.mark.parametrize("name", ["", " \t", "x" * 81, "two\nlines", "zero\0", "\N{RIGHT-TO-LEFT OVERRIDE}x", "\ud800"])
def test_invalid_names_are_refused(book: SavedSearches, name: str):
    with pytest.raises(SavedSearchesProblem) as refused:
        book.save(replace(saved("x"), name=name), {})
    assert str(refused.value).endswith(".") and str(refused.value).isprintable()
    assert book.get(name) is None and book.delete(name) is None
    book.save(saved("x"), {})
    assert book.get(name) is None and book.delete(name) is None
    with pytest.raises(SavedSearchesProblem):
        book.rename("x", name)
    assert book.names() == ["x"]


@pytest.mark.parametrize("name", ["x" * 80, "Tasse № 5 ☕", "'; DROP TABLE searches; --", "%", "NULL"])
def test_any_other_name_is_accepted(book: SavedSearches, name: str):
    book.save(saved("one more"), {})
    book.save(saved(name), {})
    assert book.get(name) == saved(name)
    assert book.delete(name) == saved(name) and book.names() == ["one more"]


def test_the_number_of_searches_is_limited(book: SavedSearches, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_SEARCHES", 2)
    book.save(saved("a"), {})
    book.save(saved("b"), {})
    with pytest.raises(SavedSearchesProblem, match="already 2 saved searches; delete one"):
        book.save(saved("c"), {})
    book.save(saved("a", CUP), given(CUP))
    assert {*book.names()} == {"a", "b"} and book.get("a") == saved("a", CUP)


def test_pictures_that_are_too_large_are_refused(book: SavedSearches, file: Path):
    large = bytes(8_000_001)
    with pytest.raises(SavedSearchesProblem, match=r"8.0 MB; the limit is 8 MB"):
        book.save(saved("cup", large), given(large))
    assert not file.exists()
    book.save(saved("cup", large[1:]), given(large[1:]))


def test_only_the_first_hits_are_stored(book: SavedSearches):
    ids = tuple(str(number) for number in range(MOST_HITS + 1))
    book.save(replace(saved("cup"), answer=ids), {})
    kept = book.get("cup")
    assert kept is not None and kept.answer == ids[:-1]


def test_an_invalid_request_is_not_saved(book: SavedSearches):
    too_many = replace(saved("cup"), request=request(*[CUP] * 9))
    with pytest.raises(SavedSearchesProblem, match="cannot be saved: it has 9 boxes"):
        book.save(too_many, given(CUP))


@pytest.mark.parametrize("text", ["", "5", "[]", '{"box": 5}', '{"rank": [5]}', '{"right": [[]]}', "{'", b"\xff\xfe{}"])
def test_an_unreadable_search_does_not_hide_the_others(book: SavedSearches, file: Path, text: str | bytes):
    book.save(saved("cup"), {})
    book.save(saved("hat", minutes=1), {})
    tamper(file, "UPDATE searches SET request = CAST(? AS TEXT) WHERE name = 'cup'", text)
    assert book.names() == ["hat", "cup"] and book.all() == [saved("hat", minutes=1)]
    with pytest.raises(SavedSearchesProblem, match="'cup' is unreadable; delete it"):
        book.get("cup")
    assert book.delete("cup") is None and book.names() == ["hat"]


def answered(answer: list[str]) -> Saved:
    return Saved("cups", Request(), datetime(2026, 5, 1, tzinfo=UTC), "gen-1", tuple(answer))


HASHES = {name: sha256(name.encode()) for name in "abcdef"}


def found(names: str, renamed: str = "") -> dict[str, str]:
    """The current hits; those in `renamed` have other names than at the time of saving."""
    return {f"new folder/{name}" if name in renamed else name: HASHES[name] for name in names}


def test_changes_are_hits_new_to_the_collection_and_missing_hits():
    saved = answered([HASHES[name] for name in "abcd"])
    known = digests(HASHES[name] for name in "abcde")
    assert saved.changes(found("fcae"), known) == (["f"], {HASHES["b"], HASHES["d"]})
    assert saved.changes(found("dcba"), known) == ([], set())


def test_renamed_pictures_are_neither_new_nor_missing():
    saved = answered([HASHES[name] for name in "abcd"])
    assert saved.changes(found("abcde", renamed="abe"), digests(HASHES.values())) == ([], set())


def test_searches_of_older_versions_are_compared_by_name():
    assert answered(["a", "b"]).changes(found("ca"), digests(())) == (["c"], {"b"})


def test_changes_compare_only_the_stored_number_of_hits():
    everything = {str(number): sha256(bytes([number])) for number in range(150)}
    assert answered([*everything.values()][:100]).changes(everything, digests(())) == ([], set())


def test_the_contents_of_a_collection_are_kept_as_long_as_a_search_needs_them(book: SavedSearches, file: Path):
    known = digests(HASHES.values())
    old = replace(saved("older"), generation="gen-000000-aa")
    book.save(old, {})
    book.save(saved("cup"), {}, known)
    assert book.known(saved("cup")).tolist() == known.tolist() and book.known(old).size == 0
    book.delete("cup")
    book.save(saved("hat", minutes=1), {}, known[:2])
    assert book.known(saved("hat")).tolist() == known[:2].tolist()
    book.delete("hat")
    book.save(old, {})
    assert book.known(saved("hat")).size == 0
