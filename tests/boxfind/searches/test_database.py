"""Every failure of the saved searches file gives a clear message and loses no recoverable data."""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from boxfind.searches import database
from boxfind.searches.errors import SavedSearchesProblem
from boxfind.searches.saved_searches import Saved, SavedSearches
from retrieval.request import Example, Request
from retrieval.types import Box
from tests.boxfind.searches.made_tables import EMPTY

ROOT = Path(__file__).parents[3]
OBJECT = Request((Example("0" * 64, Box(1, 2, 3, 4)),))
READ_AND_WRITE = """
import sys
from pathlib import Path
from datetime import UTC, datetime
from retrieval.request import Request
from boxfind.searches.errors import SavedSearchesProblem
from boxfind.searches.saved_searches import SavedSearches, Saved
book = SavedSearches(Path(sys.argv[1]))
print(book.names())
try:
    book.save(Saved("b", Request(), datetime.now(UTC), "gen-1", ()), {})
except SavedSearchesProblem as problem:
    print(problem)
print(book.names())
"""
SAVE_MANY = """
import sys
from pathlib import Path
from datetime import UTC, datetime
from retrieval.request import Request
from boxfind.searches.saved_searches import SavedSearches, Saved
book = SavedSearches(Path(sys.argv[1]))
for number in range(25):
    book.save(Saved(f"{sys.argv[2]} {number}", Request(), datetime.now(UTC), "gen-1", ()), {})
    assert f"{sys.argv[2]} {number}" in book.names()
"""


def saved(name: str) -> Saved:
    return Saved(name, OBJECT, datetime(2026, 5, 1, tzinfo=UTC), "gen-1", ("x",))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "searches.sqlite"


@pytest.fixture
def book(file: Path, monkeypatch: pytest.MonkeyPatch) -> SavedSearches:
    """A database with one search and a short lock timeout."""
    made = SavedSearches(file)
    made.save(saved("a"), {})
    monkeypatch.setattr(database, "LOCK_TIMEOUT", 0.1)
    return made


def keyed(picture: bytes) -> dict[str, bytes]:
    return {hashlib.sha256(picture).hexdigest(): picture}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused(book: SavedSearches, what: str) -> str:
    """Check that every write operation fails with the same message."""
    sentences = set()
    changes = (
        lambda: book.save(saved("b"), {}),
        lambda: book.rename("a", "b"),
        lambda: book.delete("a"),
        lambda: book.mark(saved("a"), Request(), Request(positives=("x",)), EMPTY),
    )
    for change in changes:
        with pytest.raises(SavedSearchesProblem, match=what) as problem:
            change()
        sentences.add(str(problem.value))
    (sentence,) = sentences
    assert sentence.endswith(".") and "sqlite3" not in sentence
    return sentence


@pytest.fixture
def busy(book: SavedSearches, file: Path) -> Iterator[sqlite3.Connection]:
    """Another process in the middle of a write."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE searches SET name = 'c'")
        yield other


def test_r51_a_file_in_use_is_read_and_written_when_it_is_free_again(book: SavedSearches, busy: sqlite3.Connection):
    refused(book, "is being used by another program; try again")
    assert book.all() == [saved("a")]
    busy.execute("ROLLBACK")
    book.save(saved("b"), {})
    assert {*book.names()} == {"a", "b"} and book.take_notice() is None


def test_r51_readers_do_not_keep_writers_waiting(book: SavedSearches, file: Path):
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN")
        assert other.execute("SELECT name FROM searches").fetchall() == [("a",)]
        book.save(saved("b"), {})
        assert other.execute("SELECT name FROM searches").fetchall() == [("a",)]
    assert {*book.names()} == {"a", "b"}


def test_r51_a_file_in_use_is_waited_for(
    book: SavedSearches, busy: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(database, "LOCK_TIMEOUT", 20)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(book.save, saved("b"), {})
        with pytest.raises(TimeoutError):
            waiting.result(0.3)
        busy.execute("COMMIT")
        waiting.result(20)
    assert {*book.names()} == {"b", "c"}


def test_r51_a_file_locked_by_another_program_is_said_to_be_in_use(book: SavedSearches, file: Path):
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        for look in (book.names, book.all, lambda: book.get("a"), lambda: book.picture("0" * 64)):
            with pytest.raises(SavedSearchesProblem, match="is being used by another program; try again"):
                look()
        refused(book, "is being used by another program; try again")
    assert book.names() == ["a"]


def test_r51_many_threads_and_two_programs_save_at_once_and_nothing_is_lost(file: Path):
    book = SavedSearches(file)

    def save(number: int) -> None:
        book.save(saved(f"thread {number}"), {})
        assert f"thread {number}" in book.names()

    with ThreadPoolExecutor(8) as threads, ExitStack() as others:
        programs = [
            others.enter_context(subprocess.Popen([sys.executable, "-c", SAVE_MANY, file, name], cwd=ROOT))
            for name in ("x", "y")
        ]
        list(threads.map(save, range(50)))
    assert [program.returncode for program in programs] == [0, 0]
    assert len(book.all()) == len(book.names()) == 100


def spoil_all(file: Path) -> None:
    file.write_bytes(b"this is no database, it is text " * 500)


def spoil_pages(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[100:] = b"\xa5" * (len(data) - 100)  # keep only the header
    file.write_bytes(data)


def cut_off(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2 + 100])


@pytest.mark.parametrize("spoil", [spoil_all, spoil_pages, cut_off])
@pytest.mark.parametrize("first", ["read", "write"])
def test_r51_a_damaged_file_is_put_aside_and_said_once(book: SavedSearches, file: Path, spoil, first: str):
    spoil(file)
    damaged = file.read_bytes()
    if first == "read":
        assert book.names() == [] and not file.exists()
    book.save(saved("b"), {})
    notice = book.take_notice()
    (aside,) = file.parent.glob("searches.sqlite.damaged-*")
    assert notice is not None and aside.name in notice and "damaged" in notice and book.take_notice() is None
    assert aside.read_bytes() == damaged
    assert book.all() == [saved("b")] and SavedSearches(file).names() == ["b"]


def test_r51_two_damaged_files_are_both_put_aside(book: SavedSearches, file: Path):
    for name in ("b", "c"):
        spoil_all(file)
        book.save(saved(name), {})
    assert len([*file.parent.glob("*.damaged-*")]) == 2 and book.names() == ["c"]


def test_r51_a_damaged_file_that_many_find_is_put_aside_once(book: SavedSearches, file: Path, monkeypatch):
    put_aside, all_found_it = database.Database._put_aside, threading.Barrier(8)

    def put_aside_together(*arguments) -> None:
        all_found_it.wait(20)
        put_aside(*arguments)

    spoil_all(file)
    monkeypatch.setattr(database.Database, "_put_aside", put_aside_together)
    monkeypatch.setattr(database, "LOCK_TIMEOUT", 20)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: book.save(saved(str(number)), {}), range(8)))
    assert len([*file.parent.glob("*.damaged-*Z")]) == 1
    assert {*book.names()} == set("01234567")


def test_r51_the_log_of_a_damaged_file_goes_with_it(book: SavedSearches, file: Path):
    with closing(sqlite3.connect(file)) as other:  # an open connection keeps the write-ahead log
        other.execute("UPDATE searches SET generation = 'gen-2'")
        other.commit()
        log = Path(f"{file}-wal").read_bytes()
        spoil_pages(file)
        book.save(saved("b"), {})
        (aside,) = file.parent.glob("*.damaged-*-wal")
        assert log and aside.read_bytes() == log
        assert book.all() == [saved("b")]
    assert SavedSearches(file).all() == [saved("b")]


def test_r51_a_damaged_file_that_cannot_be_moved_is_said_to_be_damaged(book: SavedSearches, file: Path, monkeypatch):
    def stuck(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    spoil_all(file)
    monkeypatch.setattr(Path, "rename", stuck)
    for use in (book.names, lambda: book.save(saved("b"), {})):
        with pytest.raises(
            SavedSearchesProblem, match="damaged, and the file cannot be moved aside: Operation not permitted"
        ):
            use()
    assert book.take_notice() is None


def test_r51_a_newer_file_is_refused_and_left_as_it_is(book: SavedSearches, file: Path):
    with closing(sqlite3.connect(file)) as newer:
        newer.execute("PRAGMA journal_mode = DELETE")
        newer.execute(f"PRAGMA user_version = {database.SCHEMA + 1}")
    before = contents(file.parent)
    for look in (book.names, book.all, lambda: book.get("a"), lambda: book.picture("0" * 64)):
        with pytest.raises(SavedSearchesProblem, match="newer version"):
            look()
    refused(book, "newer version")
    assert contents(file.parent) == before


def test_r51_a_folder_that_is_a_file(tmp_path: Path):
    (tmp_path / "data").touch()
    for file in (tmp_path / "data" / "searches.sqlite", tmp_path / "data" / "below" / "searches.sqlite"):
        book = SavedSearches(file)
        assert book.names() == []
        with pytest.raises(SavedSearchesProblem, match="Searches cannot be saved in"):
            book.save(saved("a"), {})


def test_r51_a_file_that_is_a_folder(tmp_path: Path):
    book = SavedSearches(tmp_path)
    for use in (book.names, lambda: book.save(saved("a"), {})):
        with pytest.raises(SavedSearchesProblem, match=r"cannot be (opened or written|used because the disk)"):
            use()
    assert contents(tmp_path) == {}


def test_r51_a_full_disk_keeps_what_is_there(book: SavedSearches, file: Path, monkeypatch: pytest.MonkeyPatch):
    connect = sqlite3.connect

    def connect_on_full_disk(*arguments, **options) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.execute("PRAGMA max_page_count = 1")  # SQLite raises it to the current page count
        return connection

    before = file.read_bytes()
    monkeypatch.setattr(sqlite3, "connect", connect_on_full_disk)
    picture = bytes(100_000)
    with pytest.raises(SavedSearchesProblem, match="disk is full or failing; free some space"):
        book.save(saved("a"), keyed(picture))
    assert book.all() == [saved("a")] and file.read_bytes() == before
    monkeypatch.undo()
    book.save(saved("b"), keyed(picture))
    assert {*book.names()} == {"a", "b"}


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR | 19 << 8, sqlite3.SQLITE_READONLY])
def test_r51_where_nothing_can_be_made_beside_the_file_it_is_still_read(
    book: SavedSearches, file: Path, monkeypatch: pytest.MonkeyPatch, code: int
):
    connect = sqlite3.connect

    def connect_to_look_only(address: str, *arguments, **options) -> sqlite3.Connection:
        if "immutable" not in address:
            error = sqlite3.OperationalError("cannot")
            error.sqlite_errorcode = code
            raise error
        return connect(address, *arguments, **options)

    monkeypatch.setattr(sqlite3, "connect", connect_to_look_only)
    assert book.all() == [saved("a")]
    refused(book, "disk" if code & 0xFF == sqlite3.SQLITE_IOERR else "cannot be opened or written")
    Path(f"{file}-wal").write_bytes(b"something that is not in the file yet")
    with pytest.raises(SavedSearchesProblem):
        book.names()


def test_r51_a_read_only_folder_is_read_by_those_who_may_not_write():
    command = [sys.executable, "-B", "-c", READ_AND_WRITE]
    if os.getuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may write everywhere, and cannot be kept from it here")
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        SavedSearches(folder / "searches.sqlite").save(saved("a"), {})
        before = contents(folder)
        (folder / "searches.sqlite").chmod(0o444)
        folder.chmod(0o555)
        done = subprocess.run([*command, folder / "searches.sqlite"], cwd=ROOT, capture_output=True, text=True)
        folder.chmod(0o755)
        assert contents(folder) == before
    first, sentence, last = done.stdout.splitlines()
    assert (first, last) == ("['a']", "['a']"), done.stderr
    assert "cannot be opened or written" in sentence and sentence.endswith(".")


def test_r51_a_change_that_fails_half_way_changes_nothing(book: SavedSearches, file: Path):
    with closing(sqlite3.connect(file)) as other, other:
        other.execute(
            "CREATE TRIGGER fail BEFORE INSERT ON pictures BEGIN SELECT RAISE(FAIL, 'the very last step'); END"
        )
    with pytest.raises(SavedSearchesProblem, match="the very last step"):
        book.save(Saved("a", Request(), datetime.now(UTC), "gen-2", ()), keyed(b"x"))
    assert book.all() == [saved("a")]
