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

import numpy as np

from boxfind.searches.by_content import UNKNOWN, NamedContents, contents_from_json, named_contents, with_current_names
from boxfind.searches.database import Database
from boxfind.searches.errors import BadLink, SavedSearchesProblem, SavedSearchGone
from boxfind.searches.known_contents import Digests, digests
from boxfind.searches.link import from_params, to_params
from index.storage.tables import Tables
from retrieval.request import Request

LONGEST_NAME = 80
MOST_SEARCHES = 1000
MOST_HITS = 100
MOST_PICTURE_BYTES = 8_000_000
FACTS = "name, request, made, generation, answer"
Row = tuple[str, str, str, str, str, str]
NAMED = "CREATE TABLE IF NOT EXISTS named_contents (search INTEGER PRIMARY KEY REFERENCES searches ON DELETE CASCADE, \
contents TEXT NOT NULL)"
COLLECTIONS = "CREATE TABLE IF NOT EXISTS collections (generation TEXT PRIMARY KEY, contents BLOB NOT NULL)"
NOTHING_KNOWN = digests(())
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
    """SHA-256 of the first 100 hits, best first. Searches saved by older versions have the image ids."""
    contents: NamedContents = UNKNOWN
    """Of the pictures and the folder that the request names."""

    def in_gallery(self, tables: Tables) -> "Saved":
        """The search with the names that its marked pictures and its folder have in a gallery."""
        request = with_current_names(self.request, self.contents, tables)
        return replace(self, request=request, contents=named_contents(request, tables, self.contents))

    def changes(self, now: Mapping[str, str], known: Digests) -> tuple[list[str], set[str]]:
        """Return the ids of hits whose contents are new to the collection, and the saved hits that are not found.

        `now`: image id -> SHA-256 of the current hits, best first, as many as were requested then. `known`: contents of
        the collection at the time of saving. Renamed and moved pictures are neither new nor missing.
        """
        hits = dict(list(now.items())[:MOST_HITS])
        answered, found = set(self.answer), {*hits, *hits.values()}
        was_known = np.isin(digests(hits.values()), known)
        new = [
            image
            for (image, sha256), old in zip(hits.items(), was_known, strict=True)
            if not old and answered.isdisjoint((image, sha256))
        ]
        return new, answered - found


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
        rows: list[Row] = self._database.read(lambda connection: _rows(connection, NEWEST_FIRST), [])
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

    def save(self, saved: Saved, pictures: Mapping[str, bytes], known: Digests = NOTHING_KNOWN) -> None:
        """Save a search, replacing one of the same name. `pictures`: JPEGs by SHA-256 that are in no gallery.

        `known`: the contents of the collection, for `Saved.changes`. Stored pictures need not be passed again. Pictures
        and contents that no search uses are deleted.
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
            _keep_contents(connection, row, saved.contents)
            connection.executemany("INSERT OR REPLACE INTO pictures VALUES (?, ?)", pictures.items())
            connection.execute("DELETE FROM pictures WHERE sha256 NOT IN (SELECT picture FROM uses)")
            connection.execute(COLLECTIONS)
            if known.size:
                contents = (saved.generation, known.tobytes())
                connection.execute("INSERT OR REPLACE INTO collections VALUES (?, ?)", contents)
            connection.execute("DELETE FROM collections WHERE generation NOT IN (SELECT generation FROM searches)")

        self._database.write(work)

    def picture(self, sha256: str) -> bytes | None:
        """Return a stored JPEG; None if it is missing or does not match its hash."""
        query = "SELECT jpeg FROM pictures WHERE sha256 = ?"
        row = self._database.read(lambda connection: connection.execute(query, (sha256,)).fetchone(), None)
        return row[0] if row and hashlib.sha256(row[0]).hexdigest() == sha256 else None

    def known(self, saved: Saved) -> Digests:
        """The contents of the collection when the search was saved; empty for searches of older versions."""

        def work(connection: sqlite3.Connection) -> bytes:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'collections'").fetchone():
                return b""
            query = "SELECT contents FROM collections WHERE generation = ?"
            row = connection.execute(query, (saved.generation,)).fetchone()
            return bytes(row[0]) if row else b""

        contents = self._database.read(work, b"")
        return np.frombuffer(contents[: len(contents) // 8 * 8], np.uint64)

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

    def mark(self, saved: Saved, before: Request, after: Request, tables: Tables) -> Saved:
        """Change the feedback marks of a saved search as they change from `before` to `after`; other marks stay.

        Returns the search with all its marks, by the names that the pictures have now. Raises SavedSearchGone.
        """

        def work(connection: sqlite3.Connection) -> Saved:
            row = _row(connection, saved.name)
            stored = _saved(row) if row else None
            if stored is None or stored.made != saved.made:
                raise SavedSearchGone(
                    f"The saved search {saved.name!r} was replaced or deleted meanwhile; its marks were not changed."
                )
            stored = stored.in_gallery(tables)
            request = _marked(stored.request, before, after)
            marked = replace(stored, request=request, contents=named_contents(request, tables, stored.contents))
            _put(connection, marked)
            return marked

        self._must_have(saved.name)
        return self._database.write(work)

    def of_earlier_versions(self) -> list[Saved]:
        """The searches that name pictures or a folder of unknown contents."""
        return [saved for saved in self.all() if saved.contents == UNKNOWN and _names_paths(saved.request)]

    def learn_contents(self, tables: Tables) -> None:
        """Store the contents of what searches of earlier versions name, while the gallery still has these names."""
        unknown = self.of_earlier_versions()
        learned = {saved.made: named_contents(saved.request, tables) for saved in unknown}

        def work(connection: sqlite3.Connection) -> None:
            for row in _rows(connection, NEWEST_FIRST):
                with suppress(SavedSearchesProblem):
                    saved = _saved(row)
                    if saved.contents == UNKNOWN and saved.made in learned:
                        _put(connection, replace(saved, contents=learned[saved.made]))

        if any(contents != UNKNOWN for contents in learned.values()):
            self._database.write(work)

    def _must_have(self, name: str) -> None:
        if normalised(name) not in self.names():
            raise SavedSearchGone(f"The saved search {normalised(name)[:LONGEST_NAME]!r} no longer exists.")


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


def _marked(stored: Request, before: Request, after: Request) -> Request:
    """`stored` with the marks that differ between `before` and `after`."""
    changed = {*before.positives} ^ {*after.positives} | {*before.negatives} ^ {*after.negatives}

    def marks(kept: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
        return (*(image for image in kept if image not in changed), *(image for image in new if image in changed))

    positives, negatives = marks(stored.positives, after.positives), marks(stored.negatives, after.negatives)
    return replace(stored, positives=positives, negatives=negatives)


def _rows(connection: sqlite3.Connection, which: str, *values: str) -> list[Row]:
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'named_contents'").fetchone()
    source = "searches LEFT JOIN named_contents ON search = id" if known else "searches"
    column = "coalesce(contents, '')" if known else "''"
    rows: list[Row] = connection.execute(f"SELECT {FACTS}, {column} FROM {source} {which}", values).fetchall()
    return rows


def _row(connection: sqlite3.Connection, name: str) -> Row | None:
    return next(iter(_rows(connection, "WHERE name = ?", normalised(name))), None)


def _names_paths(request: Request) -> bool:
    return bool(request.positives or request.negatives or request.folder)


def _put(connection: sqlite3.Connection, saved: Saved) -> None:
    """Store the request of a search that exists, and its contents."""
    update = "UPDATE searches SET request = ? WHERE name = ? RETURNING id"
    (key,) = connection.execute(update, (_request_text(saved.request), normalised(saved.name))).fetchone()
    _keep_contents(connection, key, saved.contents)


def _keep_contents(connection: sqlite3.Connection, key: int | None, contents: NamedContents) -> None:
    connection.execute(NAMED)
    connection.execute("INSERT OR REPLACE INTO named_contents VALUES (?, ?)", (key, contents.to_json()))


def _saved(row: Row) -> Saved:
    name, request, made, generation, answer, contents = row
    try:
        hits, found = tuple(map(str, json.loads(answer))), from_params(json.loads(request))
        known = contents_from_json(contents)
        return Saved(name, found, datetime.fromisoformat(made), generation, hits, known)
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
