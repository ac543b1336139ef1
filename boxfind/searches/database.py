"""The file that saved searches are kept in: shared with other programs, and put aside when it is damaged."""

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from boxfind.searches.errors import SavedSearchesProblem

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

LOCK_TIMEOUT = 2.0
"""Seconds to wait for another program that is writing."""
SCHEMA = 1
"""Raised whenever the tables change; the file says which it has."""
TABLES = (
    "CREATE TABLE searches (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, made TEXT NOT NULL, "
    "generation TEXT NOT NULL, request TEXT NOT NULL, answer TEXT NOT NULL)",
    "CREATE TABLE uses (search INTEGER NOT NULL REFERENCES searches ON DELETE CASCADE, picture TEXT NOT NULL, "
    "PRIMARY KEY (search, picture)) WITHOUT ROWID",
    "CREATE TABLE pictures (sha256 TEXT PRIMARY KEY, jpeg BLOB NOT NULL)",
    f"PRAGMA user_version = {SCHEMA}",
)
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
UNWRITABLE = (
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
)
IN_USE = "is being used by another program; try again in a moment"
NOT_ALLOWED = "cannot be opened or written; check that its folder is there and that this program may write to it"
DISK = "cannot be used, because its disk is full or does not work; make room there and try again"
REASONS = {
    sqlite3.SQLITE_BUSY: IN_USE,
    sqlite3.SQLITE_LOCKED: IN_USE,
    sqlite3.SQLITE_CANTOPEN: NOT_ALLOWED,
    sqlite3.SQLITE_PERM: NOT_ALLOWED,
    sqlite3.SQLITE_READONLY: NOT_ALLOWED,
    sqlite3.SQLITE_FULL: DISK,
    sqlite3.SQLITE_IOERR: DISK,
}


class Database:
    """Safe to share between threads: each piece of work has a connection of its own."""

    def __init__(self, file: Path) -> None:
        self.file = file.absolute()
        self._putting_aside = threading.Lock()
        self._notice: str | None = None

    def take_notice(self) -> str | None:
        """What happened to the file, in a sentence that is given out once; None when nothing did."""
        with self._putting_aside:
            notice, self._notice = self._notice, None
            return notice

    def read(self, work: Work[T], nothing: T) -> T:
        """What the work finds; `nothing` where nothing was ever written. Raises NotebookProblem."""
        if not os.path.exists(self.file):  # unlike Path.exists it never raises
            return nothing
        file_seen = self._identity()
        try:
            return self._look("mode=rw", work, nothing)
        except sqlite3.Error as error:
            if _code(error) in DAMAGED:
                self._put_aside(file_seen)
                return nothing
            if _code(error) in UNWRITABLE and not self._is_half_written():
                return self._look_only(work, nothing)
            raise self._problem(error) from None

    def write(self, work: Work[T]) -> T:
        """Does all of the work or, when it raises, none of it; makes the file if need be. Raises NotebookProblem."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            file_seen = self._identity()
            try:
                return self._change(work)
            except sqlite3.DatabaseError as error:
                if _code(error) not in DAMAGED and self._identity() == file_seen:  # else it was put aside meanwhile
                    raise
            self._put_aside(file_seen)
            return self._change(work)
        except sqlite3.Error as error:
            raise self._problem(error) from None
        except OSError as error:
            folder = self.file.parent.name
            raise SavedSearchesProblem(
                f"Nothing can be saved in the folder {folder}: {error.strerror}. "
                "Check that it is a folder and may be written to."
            ) from None

    def _look(self, mode: str, work: Work[T], nothing: T) -> T:
        with closing(self._connect(mode)) as connection:
            return work(connection) if self._schema(connection) else nothing

    def _look_only(self, work: Work[T], nothing: T) -> T:
        """Reads without the files that SQLite needs beside its own, where there can be none."""
        try:
            return self._look("mode=ro&immutable=1", work, nothing)
        except sqlite3.Error as error:
            raise self._problem(error) from None

    def _change(self, work: Work[T]) -> T:
        with closing(self._connect("mode=rwc")) as connection:
            self._schema(connection)  # before anything is written
            with suppress(sqlite3.OperationalError):  # while others are at work, they go on as they began
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA foreign_keys = ON")
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                if self._schema(connection) == 0:
                    for statement in TABLES:
                        connection.execute(statement)
                return work(connection)

    def _connect(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(f"{self.file.as_uri()}?{mode}", LOCK_TIMEOUT, isolation_level=None, uri=True)
        connection.text_factory = lambda text: text.decode("utf-8", "replace")  # a bad byte spoils one search, not all
        return connection

    def _schema(self, connection: sqlite3.Connection) -> int:
        """0 in a new file. Raises NotebookProblem when a later version of this program made the file."""
        schema = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if schema > SCHEMA:
            raise SavedSearchesProblem(
                f"The saved searches in {self.file.name} were made by a newer version of this program; "
                "install that one to see them. Nothing was changed."
            )
        return schema

    def _is_half_written(self) -> bool:
        """Whether some of what was saved stands in the log beside the file."""
        try:
            return Path(f"{self.file}-wal").stat().st_size > 0
        except OSError:
            return False

    def _identity(self) -> tuple[int, int] | None:
        with suppress(OSError):
            status = self.file.stat()
            return status.st_dev, status.st_ino
        return None

    def _put_aside(self, file_seen: tuple[int, int] | None) -> None:
        """Makes room for a new file, unless another thread did so already."""
        with self._putting_aside:
            if self._identity() != file_seen:
                return
            aside = Path(f"{self.file}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
            try:
                for ending in ("-wal", "-shm", ""):  # a log of the old file must not be taken for one of the new
                    with suppress(FileNotFoundError):
                        Path(f"{self.file}{ending}").rename(f"{aside}{ending}")
            except OSError as error:
                raise SavedSearchesProblem(
                    f"The saved searches in {self.file.name} are damaged, and the file cannot be moved aside: "
                    f"{error.strerror}. Move it away yourself."
                ) from None
            self._notice = (
                f"The file of saved searches was damaged. It is now called {aside.name}, and a new one was started."
            )

    def _problem(self, error: sqlite3.Error) -> SavedSearchesProblem:
        reason = REASONS.get(_code(error), f"cannot be used: {error}")
        return SavedSearchesProblem(f"The file of saved searches, {self.file.name}, {reason}.")


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 where Python's own module complains."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
