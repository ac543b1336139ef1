"""Store albums: a name and a set of pictures, by content, so that renamed files and folders stay in them."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from boxfind.searches.database import Database
from boxfind.searches.errors import SavedSearchesProblem
from boxfind.searches.saved_searches import LONGEST_NAME, normalised, valid_name

MOST_ALBUMS = 1000
MOST_PICTURES = 100_000
"""Pictures in one album, at most."""
TABLES = (
    "CREATE TABLE IF NOT EXISTS albums (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, changed TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS album_pictures (album INTEGER NOT NULL REFERENCES albums ON DELETE CASCADE, "
    "picture TEXT NOT NULL, PRIMARY KEY (album, picture)) WITHOUT ROWID",
)
KNOWN = "SELECT 1 FROM sqlite_master WHERE name = 'albums'"
PICTURES = "SELECT picture FROM album_pictures WHERE album = ?"


@dataclass(frozen=True, slots=True)
class Album:
    """An album; an unknown one has no pictures."""

    name: str
    pictures: frozenset[str] = frozenset()
    """SHA-256s of their files."""
    changed: str = ""
    """When it was last changed; identifies the state of its pictures."""


class Albums:
    """The albums in the database of saved searches; thread-safe. Methods raise SavedSearchesProblem.

    Spaces around names are ignored.
    """

    def __init__(self, file: Path) -> None:
        self._database = Database(file)

    def names(self) -> list[str]:
        """Return all names in alphabetical order."""
        names = [name for (name,) in self._rows("SELECT name FROM albums")]
        return sorted(names, key=lambda name: (name.casefold(), name))

    def names_with(self, picture: str) -> list[str]:
        """Return the names of the albums that hold a picture, by its SHA-256."""
        query = "SELECT name FROM albums WHERE id IN (SELECT album FROM album_pictures WHERE picture = ?)"
        return sorted(name for (name,) in self._rows(query, picture))

    def get(self, name: str) -> Album:
        """Return an album; an empty one if there is none of this name."""

        def work(connection: sqlite3.Connection) -> Album:
            found = _find(connection, name) if connection.execute(KNOWN).fetchone() else None
            if found is None:
                return Album(name)
            pictures = frozenset(picture for (picture,) in connection.execute(PICTURES, found[:1]))
            return Album(name, pictures, found[1])

        return self._database.read(work, Album(name))

    def add(self, name: str, pictures: Iterable[str]) -> None:
        """Add pictures to an album, which is made if it does not exist."""
        name, pictures = _album_name(name), set(pictures)

        def work(connection: sqlite3.Connection) -> None:
            found = _find(connection, name)
            if found is None and connection.execute("SELECT count(*) FROM albums").fetchone()[0] >= MOST_ALBUMS:
                raise SavedSearchesProblem(f"There are already {MOST_ALBUMS:,} albums; delete one first.")
            key = found[0] if found else connection.execute("INSERT INTO albums VALUES (NULL, ?, '')", [name]).lastrowid
            connection.executemany(
                "INSERT OR IGNORE INTO album_pictures VALUES (?, ?)", [(key, picture) for picture in pictures]
            )
            query = "SELECT count(*) FROM album_pictures WHERE album = ?"
            if connection.execute(query, [key]).fetchone()[0] > MOST_PICTURES:
                raise SavedSearchesProblem(f"An album holds at most {MOST_PICTURES:,} pictures.")
            _touch(connection, key)

        self._change(work)

    def remove(self, name: str, pictures: Iterable[str]) -> None:
        """Remove pictures from an album; those that it does not hold are ignored."""

        def work(connection: sqlite3.Connection) -> None:
            key = _must_find(connection, name)
            connection.executemany(
                "DELETE FROM album_pictures WHERE album = ? AND picture = ?", [(key, picture) for picture in pictures]
            )
            _touch(connection, key)

        self._change(work)

    def rename(self, name: str, new: str) -> None:
        new = _album_name(new)

        def work(connection: sqlite3.Connection) -> None:
            key, other = _must_find(connection, name), _find(connection, new)
            if other is not None and other[0] != key:
                raise SavedSearchesProblem(f"An album named {new!r} already exists; choose another name.")
            connection.execute("UPDATE albums SET name = ? WHERE id = ?", (new, key))

        self._change(work)

    def delete(self, name: str) -> None:
        """Delete an album if it exists. Its pictures stay where they are."""
        self._change(lambda connection: connection.execute("DELETE FROM albums WHERE name = ?", [normalised(name)]))

    def _change(self, work: Any) -> None:
        def with_tables(connection: sqlite3.Connection) -> None:
            for table in TABLES:
                connection.execute(table)
            work(connection)

        self._database.write(with_tables)

    def _rows(self, query: str, *values: str) -> list[Any]:
        def work(connection: sqlite3.Connection) -> list[Any]:
            return connection.execute(query, values).fetchall() if connection.execute(KNOWN).fetchone() else []

        return self._database.read(work, [])


def _find(connection: sqlite3.Connection, name: str) -> tuple[int, str] | None:
    """The key of an album and when it was changed."""
    query = "SELECT id, changed FROM albums WHERE name = ?"
    found: tuple[int, str] | None = connection.execute(query, [normalised(name)]).fetchone()
    return found


def _must_find(connection: sqlite3.Connection, name: str) -> int:
    found = _find(connection, name)
    if found is None:
        raise SavedSearchesProblem(f"The album {normalised(name)[:LONGEST_NAME]!r} no longer exists.")
    return found[0]


def _touch(connection: sqlite3.Connection, key: int | None) -> None:
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    connection.execute("UPDATE albums SET changed = ? WHERE id = ?", (now, key))


def _album_name(name: str) -> str:
    name = valid_name(name)
    if not name:
        raise SavedSearchesProblem("Enter a name for the album.")
    return name
