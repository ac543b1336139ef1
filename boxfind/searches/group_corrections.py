"""Store the corrections of catalogue groups, in the order they were made; the last one can be undone."""

import json
import sqlite3
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from boxfind.searches.database import Database
from boxfind.searches.errors import SavedSearchesProblem
from boxfind.searches.group_names import GroupName, ReplacedNames, rename
from index.groups.corrections import GroupCorrection, Place
from retrieval.types import Box

MOST_CORRECTIONS = 10_000
MOST_PLACES = 500_000
"""Objects that all corrections name together, at most."""
MOST_PIXELS = 10**6
"""Sides of boxes are smaller."""
TABLE = (
    "CREATE TABLE IF NOT EXISTS corrections (id INTEGER PRIMARY KEY AUTOINCREMENT, made TEXT NOT NULL, "
    "action TEXT NOT NULL, correction TEXT NOT NULL, names TEXT NOT NULL)"
)
KNOWN = "SELECT 1 FROM sqlite_master WHERE name = 'corrections'"
PLACES = "SELECT total(length(correction) - length(replace(correction, '[', '')) - 3) FROM corrections"
"""The number of places in all rows: each place is a list, in one of three lists."""
PARTS = ("together", "chosen", "remaining")


Parsed = dict[tuple[int, str], GroupCorrection | None]
"""Id and time of a row -> its correction; None if it is unreadable."""


@dataclass(frozen=True, slots=True)
class LastCorrection:
    """The newest correction. It identifies the state of all corrections: they are only added and undone at the end."""

    key: int
    made: str
    action: str
    """What the correction did, in a phrase shown to users."""


class GroupCorrections:
    """The corrections in the database of saved searches; thread-safe. Methods raise SavedSearchesProblem."""

    def __init__(self, file: Path) -> None:
        self._database = Database(file)
        self._parsed: Parsed = {}

    def last(self) -> LastCorrection | None:
        query = "SELECT id, made, action FROM corrections ORDER BY id DESC LIMIT 1"
        rows = self._rows(query)
        return LastCorrection(*rows[0]) if rows else None

    def until(self, last: LastCorrection | None) -> list[GroupCorrection]:
        """Return the corrections up to `last`, oldest first; unreadable ones are left out.

        Removals from one group that follow each other are one correction, as if all pictures were chosen at once.
        """
        if last is None:
            return []
        rows: Parsed = self._database.read(lambda connection: self._rows_until(connection, last.key), {})
        return _joined(rows.values())

    def add(self, action: str, correction: GroupCorrection, names: Sequence[GroupName] = ()) -> None:
        """Store a correction and the names that it changes; see `rename`."""
        made = datetime.now(UTC).isoformat(timespec="microseconds")

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(TABLE)
            if connection.execute("SELECT count(*) FROM corrections").fetchone()[0] >= MOST_CORRECTIONS:
                raise SavedSearchesProblem(f"There are already {MOST_CORRECTIONS:,} corrections of groups.")
            stored = self._shortened(connection, correction)
            count = sum(len(getattr(stored, part)) for part in PARTS)
            if connection.execute(PLACES).fetchone()[0] + count > MOST_PLACES:
                raise SavedSearchesProblem(
                    f"All corrections of groups together can name {MOST_PLACES:,} pictures; this one would exceed that."
                )
            text = json.dumps({part: list(map(_numbers, getattr(stored, part))) for part in PARTS})
            replaced = json.dumps([asdict(rename(connection, name)) for name in names])
            row = made, action, text, replaced
            connection.execute("INSERT INTO corrections (made, action, correction, names) VALUES (?, ?, ?, ?)", row)

        self._database.write(work)

    def undo(self, last: LastCorrection) -> bool:
        """Remove the newest correction and restore the names before it. Raises if it is not the newest any more.

        Names that have been changed since stay as they are; then False is returned.
        """

        def work(connection: sqlite3.Connection) -> bool:
            connection.execute(TABLE)
            query = "SELECT id, made, names FROM corrections ORDER BY id DESC LIMIT 1"
            key, made, names = connection.execute(query).fetchone() or (0, "", "")
            if (key, made) != (last.key, last.made):
                raise SavedSearchesProblem("The groups have been corrected again meanwhile; nothing was undone.")
            connection.execute("DELETE FROM corrections WHERE id = ?", (key,))
            restored = [replaced.undo(connection) for replaced in _replaced(names)]
            return all(restored)

        return self._database.write(work)

    def _rows_until(self, connection: sqlite3.Connection, key: int) -> Parsed:
        """The rows with ids up to `key`, parsed. Rows never change, so only new ones are parsed."""
        if not connection.execute(KNOWN).fetchone():
            return {}
        if not connection.in_transaction:
            connection.execute("BEGIN")
        rows = connection.execute("SELECT id, made FROM corrections WHERE id <= ? ORDER BY id", (key,)).fetchall()
        query, parsed = "SELECT correction FROM corrections WHERE id = ?", self._parsed
        new = {row: _correction(*connection.execute(query, row[:1]).fetchone()) for row in rows if row not in parsed}
        self._parsed = {row: new[row] if row in new else parsed[row] for row in rows}
        return self._parsed

    def _shortened(self, connection: sqlite3.Connection, new: GroupCorrection) -> GroupCorrection:
        """A correction as it is stored: without the remaining members if it continues the newest one."""
        rows = list(self._rows_until(connection, sys.maxsize).values())
        before = _joined(rows)[-1:]
        if not before or rows[-1] is None or before[0].together or new.together:
            return new
        continues = {*new.remaining} == {*_without(before[0].remaining, new.chosen)}
        return replace(new, remaining=()) if continues else new

    def _rows(self, query: str) -> list[Any]:
        def work(connection: sqlite3.Connection) -> list[Any]:
            return connection.execute(query).fetchall() if connection.execute(KNOWN).fetchone() else []

        return self._database.read(work, [])


def _joined(rows: Iterable[GroupCorrection | None]) -> list[GroupCorrection]:
    """The readable corrections, each with the removals that continue it."""
    runs: list[list[GroupCorrection]] = []
    for row in rows:
        if row is None:
            runs.append([])
        elif runs and not row.together and not row.remaining:
            runs[-1].append(row)
        else:
            runs.append([row])
    return [_one(run) for run in runs if run and (run[0].together or run[0].remaining)]


def _one(run: Sequence[GroupCorrection]) -> GroupCorrection:
    if len(run) == 1:
        return run[0]
    chosen = tuple(dict.fromkeys(place for row in run for place in row.chosen))
    return replace(run[0], chosen=chosen, remaining=_without(run[0].remaining, chosen))


def _without(places: Iterable[Place], chosen: Iterable[Place]) -> tuple[Place, ...]:
    """The places without the chosen pictures and copies of them."""
    hashes = {place.sha256 for place in chosen}
    return tuple(place for place in places if place.sha256 not in hashes)


def _numbers(place: Place) -> list[str | int]:
    return [place.sha256, *place.box.xywh]


def _correction(text: str) -> GroupCorrection | None:
    """Parse a database row; None if it is malformed."""
    try:
        parts = json.loads(text)
        return GroupCorrection(*(tuple(_places(parts[part])) for part in PARTS))
    except (ValueError, TypeError, KeyError):
        return None


def _places(rows: Iterable[list[Any]]) -> Iterable[Place]:
    for sha256, *xywh in rows:
        yield _place(str(sha256), *map(int, xywh))


@lru_cache(100_000)
def _place(sha256: str, *xywh: int) -> Place:
    """Places that many corrections name are in memory once."""
    box = Box.from_xywh(*xywh)
    if not max(map(abs, xywh)) < MOST_PIXELS:
        raise ValueError(f"no box of a picture: {box}")
    return Place(sha256, box)


def _replaced(text: str) -> list[ReplacedNames]:
    """Parse the changes of names, the last one first; none if they are malformed."""
    try:
        rows = [
            tuple(tuple((str(name), str(members)) for name, members in row[part]) for part in ("removed", "added"))
            for row in json.loads(text)
        ]
    except (ValueError, TypeError, KeyError):
        return []
    return [ReplacedNames(*row) for row in reversed(rows)]
