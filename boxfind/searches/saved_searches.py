"""Save searches under names, with the uploaded query images they need."""

import hashlib
import json
import sqlite3
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from boxfind.searches.database import Database
from boxfind.searches.errors import BadLink, SavedSearchesProblem
from boxfind.searches.link import from_params, to_params
from retrieval.request import Request

LONGEST_NAME = 80
MOST_SEARCHES = 1000
MOST_HITS = 100
MOST_PICTURE_BYTES = 8_000_000
FACTS = "name, request, made, generation, answer"
Row = tuple[str, str, str, str, str]
NEWEST_FIRST = "ORDER BY made DESC, id DESC"


@dataclass(frozen=True, slots=True)
class Saved:
    """A named search with the hits at the time it was saved."""

    name: str
    request: Request
    made: datetime
    """The time of saving, with time zone."""
    generation: str
    """The index generation that answered."""
    answer: tuple[str, ...]
    """Image ids of the first 100 hits, best first."""

    def changes(self, now: Sequence[str]) -> tuple[list[str], list[str]]:
        """Compare with the saved answer. Returns the new hits, and the saved hits that are no longer found.

        `now`: ids of the current hits, best first, as many as were requested then.
        """
        now = now[:MOST_HITS]
        new = [image for image in now if image not in self.answer]
        gone = [image for image in self.answer if image not in now]
        return new, gone


class SavedSearches:
    """The saved searches in one file, safe for concurrent use; the file is created with the first search.

    Spaces around names are ignored. All methods may raise SavedSearchesProblem.
    """

    def __init__(self, file: Path) -> None:
        self._database = Database(file)

    def take_notice(self) -> str | None:
        """Return a message for users about a damaged file once; None if there is none."""
        return self._database.take_notice()

    def names(self) -> list[str]:
        """Return all names, newest first, including unreadable searches."""
        return self._database.read(
            lambda connection: [name for (name,) in connection.execute(f"SELECT name FROM searches {NEWEST_FIRST}")],
            [],
        )

    def all(self) -> list[Saved]:
        """Return all readable searches, newest first."""
        query = f"SELECT {FACTS} FROM searches {NEWEST_FIRST}"
        rows: list[Row] = self._database.read(lambda connection: connection.execute(query).fetchall(), [])
        found = []
        for row in rows:
            with suppress(SavedSearchesProblem):
                found.append(_saved(row))
        return found

    def get(self, name: str) -> Saved | None:
        if not normalised(name).isprintable():  # such names are never saved
            return None
        row = self._database.read(lambda connection: _row(connection, name), None)
        return _saved(row) if row else None

    def save(self, saved: Saved, pictures: Mapping[str, bytes]) -> None:
        """Save a search, replacing one of the same name. `pictures`: JPEGs by SHA-256 that are in no gallery.

        Stored pictures need not be passed again. Pictures that no search uses are deleted.
        """
        name, request = _search_name(saved.name), _request_text(saved.request)
        for sha256, jpeg in pictures.items():
            if len(jpeg) > MOST_PICTURE_BYTES:
                size, most = len(jpeg) / 1e6, MOST_PICTURE_BYTES / 1e6
                raise SavedSearchesProblem(f"A picture of this search is {size:.1f} MB; the limit is {most:.0f} MB.")
            assert hashlib.sha256(jpeg).hexdigest() == sha256
        made = saved.made.astimezone(UTC).isoformat(timespec="microseconds")
        facts = name, request, made, saved.generation, json.dumps(saved.answer[:MOST_HITS])

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM searches WHERE name = ?", (name,))
            if connection.execute("SELECT count(*) FROM searches").fetchone()[0] >= MOST_SEARCHES:
                raise SavedSearchesProblem(f"There are already {MOST_SEARCHES} saved searches; delete one first.")
            row = connection.execute(f"INSERT INTO searches ({FACTS}) VALUES (?, ?, ?, ?, ?)", facts).lastrowid
            uses = {(row, example.picture) for example in saved.request.examples}
            connection.executemany("INSERT INTO uses VALUES (?, ?)", sorted(uses))
            connection.executemany("INSERT OR REPLACE INTO pictures VALUES (?, ?)", pictures.items())
            connection.execute("DELETE FROM pictures WHERE sha256 NOT IN (SELECT picture FROM uses)")

        self._database.write(work)

    def picture(self, sha256: str) -> bytes | None:
        """Return a stored JPEG; None if it is missing or does not match its hash."""
        query = "SELECT jpeg FROM pictures WHERE sha256 = ?"
        row = self._database.read(lambda connection: connection.execute(query, (sha256,)).fetchone(), None)
        return row[0] if row and hashlib.sha256(row[0]).hexdigest() == sha256 else None

    def rename(self, name: str, new: str) -> None:
        new = _search_name(new)

        def work(connection: sqlite3.Connection) -> None:
            taken = _row(connection, new) is not None
            if taken and new != normalised(name):
                raise SavedSearchesProblem(f"A saved search named {new!r} already exists; choose another name.")
            connection.execute("UPDATE searches SET name = ? WHERE name = ?", (new, normalised(name)))

        self._must_have(name)
        self._database.write(work)

    def delete(self, name: str) -> Saved | None:
        """Delete a search and return it, so that `save` can restore it; None if missing or unreadable.

        Its pictures are kept until the next `save`, so restoring it does not need them.
        """

        def work(connection: sqlite3.Connection) -> Row | None:
            row = _row(connection, name)
            connection.execute("DELETE FROM searches WHERE name = ?", (normalised(name),))
            return row

        row = self._database.write(work) if normalised(name) in self.names() else None
        with suppress(SavedSearchesProblem):
            return _saved(row) if row else None
        return None

    def mark(self, name: str, request: Request) -> None:
        """Replace the feedback marks of a saved search by those of a request."""

        def work(connection: sqlite3.Connection) -> None:
            row = _row(connection, name)
            if row is not None:  # otherwise it has just been deleted
                marked = replace(_saved(row).request, positives=request.positives, negatives=request.negatives)
                text = _request_text(marked)
                connection.execute("UPDATE searches SET request = ? WHERE name = ?", (text, normalised(name)))

        self._must_have(name)
        self._database.write(work)

    def _must_have(self, name: str) -> None:
        if normalised(name) not in self.names():
            raise SavedSearchesProblem(f"The saved search {normalised(name)[:LONGEST_NAME]!r} no longer exists.")


def normalised(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip())


def valid_name(name: str) -> str:
    """Return the normalised name, which may be empty. Raises SavedSearchesProblem if it is unprintable or too long."""
    name = normalised(name)
    if len(name) > LONGEST_NAME:
        raise SavedSearchesProblem(f"The name has {len(name)} characters; use at most {LONGEST_NAME}.")
    if not name.isprintable():
        raise SavedSearchesProblem("The name has unprintable characters; use letters, digits and spaces.")
    return name


def _search_name(name: str) -> str:
    name = valid_name(name)
    if not name:
        raise SavedSearchesProblem("Enter a name for the search.")
    return name


def _row(connection: sqlite3.Connection, name: str) -> Row | None:
    query = f"SELECT {FACTS} FROM searches WHERE name = ?"
    row: Row | None = connection.execute(query, (normalised(name),)).fetchone()
    return row


def _saved(row: Row) -> Saved:
    name, request, made, generation, answer = row
    try:
        hits = tuple(map(str, json.loads(answer)))
        return Saved(name, from_params(json.loads(request)), datetime.fromisoformat(made), generation, hits)
    except (BadLink, ValueError, TypeError, AttributeError):
        raise SavedSearchesProblem(f"The saved search {name!r} is unreadable; delete it.") from None


def _request_text(request: Request) -> str:
    """Serialise a request. Raises SavedSearchesProblem if it could not be read back."""
    params = to_params(request)
    try:
        from_params(params)
    except BadLink as error:
        raise SavedSearchesProblem(f"This search cannot be saved: {error.reason}.") from None
    return json.dumps(params)
