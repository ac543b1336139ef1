"""The SQLite database of saved searches: safe for concurrent use; a damaged file is moved aside."""

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

LOCK_TIMEOUT = 10.0
"""Seconds to wait for a lock held by another process. SQLite polls for it, so a waiting program may be overtaken."""
SCHEMA = 1
"""Schema version, raised whenever the tables change; stored in the file as user_version."""
TABLES = (
    "CREATE TABLE searches (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, made TEXT NOT NULL, "
    "generation TEXT NOT NULL, request TEXT NOT NULL, answer TEXT NOT NULL)",
    "CREATE TABLE uses (search INTEGER NOT NULL REFERENCES searches ON DELETE CASCADE, picture TEXT NOT NULL, "
    "PRIMARY KEY (search, picture)) WITHOUT ROWID",
    "CREATE TABLE pictures (sha256 TEXT PRIMARY KEY, jpeg BLOB NOT NULL)",
    f"PRAGMA user_version = {SCHEMA}",
)
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
IN_USE = "is being used by another program; try again in a moment"
NOT_ALLOWED = "cannot be opened or written; check that its folder exists and is writable"
DISK = "cannot be used because the disk is full or failing; free some space and try again"
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
    """A thread-safe database file; every operation opens a connection of its own."""

    def __init__(self, file: Path) -> None:
        self.file = file.absolute()
        self._putting_aside = threading.Lock()
        self._writing = threading.Lock()  # the threads of this program take turns without polling
        self._notice: str | None = None

    def take_notice(self) -> str | None:
        """Return a message about a damaged file once; None if there is none."""
        with self._putting_aside:
            notice, self._notice = self._notice, None
            return notice

    def read(self, work: Work[T], nothing: T) -> T:
        """Return the result of `work`, or `nothing` if nothing was ever saved. Raises SavedSearchesProblem."""
        if not os.path.exists(self.file):  # never raises, unlike Path.exists
            return nothing
        file_seen = self._identity()
        try:
            return self._run("mode=rw", work, nothing)
        except sqlite3.Error as error:
            if _code(error) in DAMAGED:
                self._put_aside(file_seen)
                return nothing
            if REASONS.get(_code(error)) in (NOT_ALLOWED, DISK) and not self._is_half_written():
                return self._run_read_only(work, nothing)
            raise self._problem(error) from None

    def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction, creating the file if needed. Raises SavedSearchesProblem."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            file_seen = self._identity()
            try:
                return self._change(work)
            except sqlite3.DatabaseError as error:
                moved_aside = self._identity() != file_seen  # by another thread
                if _code(error) not in DAMAGED and not moved_aside:
                    raise
            self._put_aside(file_seen)
            return self._change(work)
        except sqlite3.Error as error:
            raise self._problem(error) from None
        except OSError as error:
            folder = self.file.parent.name
            raise SavedSearchesProblem(
                f"Searches cannot be saved in the folder {folder}: {error.strerror}. "
                "Check that it is a folder and is writable."
            ) from None

    def _run(self, mode: str, work: Work[T], nothing: T) -> T:
        with closing(self._connect(mode)) as connection:
            return work(connection) if self._schema(connection) else nothing

    def _run_read_only(self, work: Work[T], nothing: T) -> T:
        """Read without SQLite's -wal and -shm files, for a location that is not writable."""
        try:
            return self._run("mode=ro&immutable=1", work, nothing)
        except sqlite3.Error as error:
            raise self._problem(error) from None

    def _change(self, work: Work[T]) -> T:
        with self._writing, closing(self._connect("mode=rwc")) as connection:
            self._schema(connection)  # refuse a newer schema before writing
            with suppress(sqlite3.OperationalError):  # the mode cannot change while others use the file
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
        # A bad byte must not make all searches unreadable.
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        return connection

    def _schema(self, connection: sqlite3.Connection) -> int:
        """Return the schema version, 0 for a new file. Raises SavedSearchesProblem for a newer schema."""
        schema = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if schema > SCHEMA:
            raise SavedSearchesProblem(
                f"The saved searches in {self.file.name} were written by a newer version of Boxfind; "
                "install that version to use them. Nothing was changed."
            )
        return schema

    def _is_half_written(self) -> bool:
        """Whether the write-ahead log holds changes that are not yet in the file."""
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
        """Move the damaged file aside, unless another thread already has."""
        with self._putting_aside:
            if self._identity() != file_seen:
                return
            aside = Path(f"{self.file}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
            try:
                for ending in ("-wal", "-shm", ""):  # the old log must not be applied to the new file
                    with suppress(FileNotFoundError):
                        Path(f"{self.file}{ending}").rename(f"{aside}{ending}")
            except OSError as error:
                raise SavedSearchesProblem(
                    f"The saved searches in {self.file.name} are damaged, and the file cannot be moved aside: "
                    f"{error.strerror}. Move it away manually."
                ) from None
            self._notice = (
                f"The file of saved searches was damaged. It was renamed to {aside.name}, and a new file was created."
            )

    def _problem(self, error: sqlite3.Error) -> SavedSearchesProblem:
        reason = REASONS.get(_code(error), f"cannot be used: {error}")
        return SavedSearchesProblem(f"The file of saved searches, {self.file.name}, {reason}.")


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code; 0 for errors of the sqlite3 module itself."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
