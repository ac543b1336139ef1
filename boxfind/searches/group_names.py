"""Names that people give to groups of the catalogue, kept apart from the index: they outlive it."""

import json
import sqlite3
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from boxfind.searches.database import Database
from boxfind.searches.errors import SavedSearchesProblem
from retrieval.types import Box

LONGEST_NAME = 80
MOST_LABELS = 10_000
TABLE = "CREATE TABLE IF NOT EXISTS labels (id INTEGER PRIMARY KEY, name TEXT NOT NULL, members TEXT NOT NULL)"
STILL_THE_SAME = 0.3
"""The share of its pictures, of those it had or has, that a group must have kept to keep its name."""

Places = Mapping[str, Box]
"""Ids of images, and where in each of them, in its pixels, the thing is: one group of the catalogue."""


@dataclass(frozen=True, slots=True)
class GroupName:
    """A name, and the group that it was given to as that was then."""

    key: int
    name: str
    places: Places


class GroupNames:
    """Lies in the file of saved searches; any number of threads and programs may use it. Raises NotebookProblem."""

    def __init__(self, file: Path) -> None:
        self._database = Database(file)

    def all(self) -> list[GroupName]:
        """The oldest first; those that cannot be read any more are left out."""

        def work(connection: sqlite3.Connection) -> list[tuple[int, str, str]]:
            known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'labels'").fetchone()
            return connection.execute("SELECT id, name, members FROM labels ORDER BY id").fetchall() if known else []

        rows: list[tuple[int, str, str]] = self._database.read(work, [])
        found = [_label(*row) for row in rows]
        return [label for label in found if label is not None]

    def give(self, name: str, places: Places, instead: int | None = None) -> None:
        """Names a group; `instead` is the key of the label that it had. An empty name takes that away."""
        name = _checked(name)
        members = json.dumps([[image, *box.xywh] for image, box in places.items()])

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(TABLE)
            connection.execute("DELETE FROM labels WHERE id IS ?", (instead,))
            with closing(connection.execute("SELECT count(*) FROM labels")) as counted:
                if name and counted.fetchone()[0] >= MOST_LABELS:
                    raise SavedSearchesProblem(
                        f"There are {MOST_LABELS:,} names of groups already; take one away first."
                    )
            if name:
                connection.execute("INSERT INTO labels (name, members) VALUES (?, ?)", (name, members))

        self._database.write(work)


def labels_of(groups: Sequence[Places], labels: Sequence[GroupName]) -> dict[int, GroupName]:
    """Which group, by its place, has which label now, whatever has become of the groups since they were named.

    A label goes to the group that has most pictures in common with the one it was given to, and in them boxes that lie
    most where its boxes lay; a picture can be in several groups. Each group has one label at most.
    """
    groups_with: dict[str, list[int]] = {}
    for place, group in enumerate(groups):
        for image in group:
            groups_with.setdefault(image, []).append(place)
    pairs = []
    for label in labels:
        for place in {place for image in label.places for place in groups_with.get(image, ())}:
            kept, overlap = _in_common(label.places, groups[place])
            if kept >= STILL_THE_SAME:
                pairs.append((-kept - overlap, -label.key, place, label))
    found: dict[int, GroupName] = {}
    given: set[int] = set()
    for _, _, place, label in sorted(pairs, key=lambda pair: pair[:3]):
        if place not in found and label.key not in given:
            found[place] = label
            given.add(label.key)
    return found


def _in_common(one: Places, other: Places) -> tuple[float, float]:
    """Pictures of both by pictures of either (Jaccard), and how far boxes on the former overlap, 0 to 1."""
    both = one.keys() & other.keys()
    overlap = sum(_overlap(one[image], other[image]) for image in both) / max(len(both), 1)
    return len(both) / max(len(one.keys() | other.keys()), 1), overlap


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    both = max(width, 0) * max(height, 0)
    return both / max(one.width * one.height + other.width * other.height - both, 1)


def _label(key: int, name: str, members: str) -> GroupName | None:
    """None where what was kept is not what is written here."""
    try:
        places = {str(image): Box.from_xywh(*map(int, xywh)) for image, *xywh in json.loads(members)}
    except (ValueError, TypeError):
        return None
    return GroupName(key, name, places)


def _checked(name: str) -> str:
    name = unicodedata.normalize("NFC", name.strip())
    if len(name) > LONGEST_NAME:
        raise SavedSearchesProblem(f"The name has {len(name)} characters; it can have up to {LONGEST_NAME}.")
    if not name.isprintable():
        raise SavedSearchesProblem("The name has characters that cannot be shown; use letters, digits and spaces.")
    return name
