"""Store user-given names of catalogue groups, and match them to the groups of a new index."""

import itertools
import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from boxfind.searches.database import Database
from boxfind.searches.errors import SavedSearchesProblem
from boxfind.searches.saved_searches import valid_name
from retrieval.types import Box, iou

MOST_LABELS = 10_000
TABLE = "CREATE TABLE IF NOT EXISTS labels (id INTEGER PRIMARY KEY, name TEXT NOT NULL, members TEXT NOT NULL)"
SHA256 = re.compile("[0-9a-f]{64}")
MIN_JACCARD = 0.3
"""Minimum Jaccard index between the old and the new images of a group for it to keep its name."""

Places = Mapping[str, Box]
"""One group of the catalogue: SHA-256 of a picture -> box of the object, in its pixels.

Names of earlier versions have image ids instead; see `by_content`.
"""


@dataclass(frozen=True, slots=True)
class GroupName:
    """A name, and the members of the group at the time it was named."""

    key: int
    name: str
    places: Places


class GroupNames:
    """Group names in the database of saved searches; thread-safe. Methods raise SavedSearchesProblem."""

    def __init__(self, file: Path) -> None:
        self._database = Database(file)

    def all(self) -> list[GroupName]:
        """Return all names, oldest first; unreadable ones are left out."""

        def work(connection: sqlite3.Connection) -> list[tuple[int, str, str]]:
            known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'labels'").fetchone()
            return connection.execute("SELECT id, name, members FROM labels ORDER BY id").fetchall() if known else []

        rows: list[tuple[int, str, str]] = self._database.read(work, [])
        return [label for label in itertools.starmap(_label, rows) if label is not None]

    def give(self, name: str, places: Places, instead: int | None = None) -> None:
        """Name a group. `instead` is the key of its previous name; an empty `name` only removes that one."""
        self._database.write(lambda connection: rename(connection, GroupName(instead or 0, name, places)))

    def of_earlier_versions(self) -> list[GroupName]:
        """The names whose members are image ids."""
        return [name for name in self.all() if not all(map(SHA256.fullmatch, name.places))]

    def learn_contents(self, hashes: Mapping[str, str]) -> None:
        """Replace the image ids in names of earlier versions. `hashes`: image id -> SHA-256."""
        old = [name for name in self.of_earlier_versions() if by_content(name, hashes) != name]

        def work(connection: sqlite3.Connection) -> None:
            for name in old:
                change = _members(by_content(name, hashes)), name.key, name.name
                connection.execute("UPDATE labels SET members = ? WHERE id = ? AND name = ?", change)

        if old:
            self._database.write(work)


@dataclass(frozen=True, slots=True)
class ReplacedNames:
    """Names in the database before and after a change, so that it can be undone: (name, members) of each."""

    removed: tuple[tuple[str, str], ...]
    added: tuple[tuple[str, str], ...]

    def undo(self, connection: sqlite3.Connection) -> bool:
        """Restore the names, unless those after the change have been changed again. Returns whether it did."""
        connection.execute(TABLE)
        query = "SELECT id FROM labels WHERE name = ? AND members = ? ORDER BY id DESC"
        found = [connection.execute(query, added).fetchone() for added in self.added]
        if None in found:
            return False
        connection.executemany("DELETE FROM labels WHERE id = ?", found)
        connection.executemany("INSERT INTO labels (name, members) VALUES (?, ?)", self.removed)
        return True


def rename(connection: sqlite3.Connection, new: GroupName) -> ReplacedNames:
    """Store a name; `new.key` is the key of the name it replaces, 0 for none. An empty name only removes that one."""
    name = valid_name(new.name)
    connection.execute(TABLE)
    removed = connection.execute("SELECT name, members FROM labels WHERE id = ?", (new.key,)).fetchall()
    connection.execute("DELETE FROM labels WHERE id = ?", (new.key,))
    if not name:
        return ReplacedNames(tuple(removed), ())
    if connection.execute("SELECT count(*) FROM labels").fetchone()[0] >= MOST_LABELS:
        raise SavedSearchesProblem(f"There are already {MOST_LABELS:,} group names; remove one first.")
    row = name, _members(new)
    connection.execute("INSERT INTO labels (name, members) VALUES (?, ?)", row)
    return ReplacedNames(tuple(removed), (row,))


def _members(name: GroupName) -> str:
    return json.dumps([[picture, *box.xywh] for picture, box in name.places.items()])


def by_content(label: GroupName, hashes: Mapping[str, str]) -> GroupName:
    """The name with SHA-256 in place of image ids. `hashes`: image id -> SHA-256."""
    return replace(label, places={hashes.get(picture, picture): box for picture, box in label.places.items()})


def labels_of(groups: Sequence[Places], labels: Sequence[GroupName]) -> dict[int, GroupName]:
    """Match saved names to current groups: position in `groups` -> name.

    A name goes to the group with the highest Jaccard index of images plus mean box IoU in the common images, since an
    image can be in several groups. Each name is used once, and each group has at most one name.
    """
    groups_with: dict[str, list[int]] = {}
    for place, group in enumerate(groups):
        for image in group:
            groups_with.setdefault(image, []).append(place)
    pairs = []
    for label in labels:
        for place in {place for image in label.places for place in groups_with.get(image, ())}:
            kept, overlap = _in_common(label.places, groups[place])
            if kept >= MIN_JACCARD:
                pairs.append((-kept - overlap, -label.key, place, label))
    found: dict[int, GroupName] = {}
    given: set[int] = set()
    for _, _, place, label in sorted(pairs, key=lambda pair: pair[:3]):
        if place not in found and label.key not in given:
            found[place] = label
            given.add(label.key)
    return found


def _in_common(one: Places, other: Places) -> tuple[float, float]:
    """Return the Jaccard index of the pictures, and the mean IoU of the boxes in common images; both 0 to 1."""
    both = one.keys() & other.keys()
    overlap = sum(iou(one[image], other[image]) for image in both) / max(len(both), 1)
    return len(both) / max(len(one.keys() | other.keys()), 1), overlap


def _label(key: int, name: str, members: str) -> GroupName | None:
    """Parse a database row; None if it is malformed."""
    try:
        places = {str(image): Box.from_xywh(*map(int, xywh)) for image, *xywh in json.loads(members)}
    except (ValueError, TypeError):
        return None
    return GroupName(key, name, places)
