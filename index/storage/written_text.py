"""What is written in pictures: a SQLite database in the index folder, which outlives the generations.

Pictures are known by their contents, so that their text survives updates, renames and rollbacks. Several processes may
read while one writes. A database that is missing or damaged has no text, and the next pass makes it anew.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.storage.picture_contents import Contents
from retrieval.errors import IndexProblem
from retrieval.text.words import is_character, words_in
from retrieval.text.written_text import READER
from retrieval.types import Box, WrittenLine

FILE = "written-text.sqlite"
VERSION = f"1, {READER}"
"""Changes with the tables, the words and the reader; text of another version is not used."""
TIMEOUT = 5.0
"""Seconds to wait for a lock of another process."""
LINE_BITS = 10
"""A picture's lines are numbered from its own number << LINE_BITS on; it keeps 1,024 lines at most."""
TOGETHER = 1000
"""Pictures that are copied in one transaction."""
VOCABULARY_LETTERS = range(4, 33)
"""Only words of these lengths are found by a part of them or with a wrong letter."""
JOINED_LETTERS = 16
"""The words of a line of at most this many letters are also one word: "7-Eleven" is found as "7eleven"."""
TABLES = """
CREATE TABLE version (version TEXT);
CREATE TABLE pictures (number INTEGER PRIMARY KEY, contents INTEGER UNIQUE);
CREATE TABLE lines (
    line INTEGER PRIMARY KEY, text TEXT, x0 INTEGER, y0 INTEGER, x1 INTEGER, y1 INTEGER, percent INTEGER
);
CREATE VIRTUAL TABLE line_words USING fts5(
    words, content = '', columnsize = 0, tokenize = "unicode61 remove_diacritics 0 categories 'L* N* M* Co'"
);
CREATE VIRTUAL TABLE used_words USING fts5vocab('line_words', 'row');
CREATE TABLE words (number INTEGER PRIMARY KEY, word TEXT UNIQUE, backwards TEXT);
CREATE INDEX words_backwards ON words (backwards);
CREATE VIRTUAL TABLE word_parts USING fts5(word, content = 'words', content_rowid = 'number', tokenize = 'trigram');
CREATE TRIGGER word_added AFTER INSERT ON words BEGIN
    INSERT INTO word_parts (rowid, word) VALUES (new.number, new.word);
END;
CREATE TRIGGER word_removed AFTER DELETE ON words BEGIN
    INSERT INTO word_parts (word_parts, rowid, word) VALUES ('delete', old.number, old.word);
END;
"""


@dataclass(frozen=True, slots=True)
class WrittenText:
    """The text of an index folder. Every method opens a connection of its own, so threads may share it."""

    index_dir: Path

    @property
    def file(self) -> Path:
        return self.index_dir / FILE

    def problem(self) -> str:
        """A sentence if the database is damaged; empty if it is not, or if there is none."""
        try:
            with self.reading() as connection:
                if connection is not None:
                    connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            if not isinstance(error, sqlite3.OperationalError):
                return "What is written in pictures is damaged; the next update reads them again."
        return ""

    def contents(self) -> Contents:
        """The pictures that were read, with and without text. (N,), ascending."""
        return np.array(sorted(row[0] for row in self._rows("SELECT contents FROM pictures")), np.int64)

    def has_read(self, contents: int) -> bool:
        """Whether a picture was read, with or without text."""
        return bool(self._rows("SELECT 1 FROM pictures WHERE contents = ?", contents))

    def revision(self) -> int:
        """A number that grows when pictures are read; 0 before."""
        rows = self._rows("SELECT coalesce(max(number), 0) FROM pictures")
        return rows[0][0] if rows else 0

    def has_lines(self) -> bool:
        """Whether anything is written in a picture that was read."""
        return bool(self._rows("SELECT 1 FROM lines LIMIT 1"))

    def lines(self, contents: int) -> list[WrittenLine]:
        """The lines of a picture; none if it has not been read."""
        first = f"number << {LINE_BITS}"
        its_lines = f"line BETWEEN {first} AND ({first}) + {(1 << LINE_BITS) - 1}"
        rows = self._rows(f"SELECT lines.* FROM pictures JOIN lines ON {its_lines} WHERE contents = ?", contents)
        return [line_of(row) for row in rows]

    def add(self, readings: Mapping[int, Sequence[WrittenLine]]) -> None:
        """Keep the lines of pictures, by their contents, in one transaction. Those that are known stay as they are.

        Raises IndexProblem when the disk is full or the folder is not writable.
        """
        with self._writing() as connection:
            number = connection.execute("SELECT coalesce(max(number), 0) FROM pictures").fetchone()[0]
            for contents, lines in readings.items():
                number += 1
                if connection.execute("INSERT OR IGNORE INTO pictures VALUES (?, ?)", (number, contents)).rowcount:
                    _add_lines(connection, number, lines)

    def keep_only(self, contents: Contents) -> None:
        """Remove all other pictures. Raises IndexProblem."""
        gone = np.setdiff1d(self.contents(), contents).tolist()
        if not gone:
            return
        with self._writing() as connection:
            for one in gone:
                (number,) = connection.execute("SELECT number FROM pictures WHERE contents = ?", (one,)).fetchone()
                _remove_picture(connection, number)
            connection.execute("DELETE FROM words WHERE word NOT IN (SELECT term FROM used_words)")

    def copy_to(self, folder: Path) -> Path | None:
        """Copy the database to another index folder, while others may write; None if there is no text."""
        copy = folder / FILE
        try:
            with self.reading() as connection:
                if connection is None:
                    return None
                with closing(sqlite3.connect(copy)) as target:
                    connection.backup(target)
                    target.execute("PRAGMA journal_mode = DELETE")  # one file
        except sqlite3.DatabaseError:
            copy.unlink(missing_ok=True)
            return None
        return copy

    def add_all(self, other: "WrittenText") -> None:
        """Add the pictures of another database that are not in this one. Raises IndexProblem."""
        missing = np.setdiff1d(other.contents(), self.contents()).tolist()
        for start in range(0, len(missing), TOGETHER):
            self.add({contents: other.lines(contents) for contents in missing[start : start + TOGETHER]})

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection for reading; None if there is no text of this version. Raises sqlite3.DatabaseError."""
        if not self.file.exists():
            yield None
            return
        with closing(_connect_to_read(self.file)) as connection:
            yield connection if _version(connection) == VERSION else None

    def _rows(self, statement: str, *values: int) -> list[tuple[int, ...]]:
        """The rows of a query; none if the database is missing or damaged."""
        try:
            with self.reading() as connection:
                return connection.execute(statement, values).fetchall() if connection else []
        except sqlite3.DatabaseError:
            return []

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction. A damaged database, or one of another version, is replaced by an empty one first."""
        try:
            with closing(self._open_to_write()) as connection, connection:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
        except sqlite3.Error as error:
            raise IndexProblem(f"What is written in pictures cannot be saved in {self.file}: {error}.") from None

    def _open_to_write(self) -> sqlite3.Connection:
        try:
            connection = _connect(self.file)
            if _version(connection) == VERSION:
                return connection
            connection.close()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
        self.remove()
        connection = _connect(self.file)
        connection.executescript(f"BEGIN; {TABLES} INSERT INTO version VALUES ('{VERSION}'); COMMIT;")
        return connection

    def remove(self) -> None:
        """Forget all text."""
        for ending in ("-wal", "-shm", ""):  # an old log must not be applied to a new file
            Path(f"{self.file}{ending}").unlink(missing_ok=True)


def line_of(row: Sequence[object]) -> WrittenLine:
    """A row of the table of lines."""
    _, text, x0, y0, x1, y1, percent = row
    return WrittenLine(text, Box(x0, y0, x1, y1), percent / 100)  # type: ignore[arg-type, operator]


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, TIMEOUT, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _connect_to_read(file: Path) -> sqlite3.Connection:
    """Readers share locks in files beside the database. In a folder that is not writable they do without."""
    address = file.absolute().as_uri()
    try:
        return _connect_and_check(f"{address}?mode=rw")
    except sqlite3.OperationalError:
        return _connect_and_check(f"{address}?mode=ro&immutable=1")


def _connect_and_check(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(address, TIMEOUT, uri=True)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> str:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'version'").fetchone():
        return ""
    return str(connection.execute("SELECT version FROM version").fetchone()[0])


def _add_lines(connection: sqlite3.Connection, number: int, lines: Iterable[WrittenLine]) -> None:
    for line, written in zip(range(number << LINE_BITS, (number + 1) << LINE_BITS), lines, strict=False):
        box = written.box
        row = (line, written.text, box.x0, box.y0, box.x1, box.y1, round(100 * written.confidence))
        connection.execute("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        words = _indexed_words(written.text)
        connection.execute("INSERT INTO line_words (rowid, words) VALUES (?, ?)", (line, " ".join(words)))
        vocabulary = [(word, word[::-1]) for word in words if len(word) in VOCABULARY_LETTERS]
        connection.executemany("INSERT OR IGNORE INTO words (word, backwards) VALUES (?, ?)", vocabulary)


def _remove_picture(connection: sqlite3.Connection, number: int) -> None:
    span = (number << LINE_BITS, ((number + 1) << LINE_BITS) - 1)
    for line, text in connection.execute("SELECT line, text FROM lines WHERE line BETWEEN ? AND ?", span).fetchall():
        words = " ".join(_indexed_words(text))
        connection.execute("INSERT INTO line_words (line_words, rowid, words) VALUES ('delete', ?, ?)", (line, words))
    connection.execute("DELETE FROM lines WHERE line BETWEEN ? AND ?", span)
    connection.execute("DELETE FROM pictures WHERE number = ?", (number,))


def _indexed_words(text: str) -> list[str]:
    """The words of a line, and a short line also as one word."""
    words = words_in(text)
    joined = "".join(words)
    if len(words) > 1 and len(joined) <= JOINED_LETTERS and not any(map(is_character, words)):
        return [*words, joined]
    return words
