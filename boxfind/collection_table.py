"""The table of collections in the data folder: names, folders, exclusions, and where the index of each is."""

import hashlib
import os
import re
import secrets
import unicodedata
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from boxfind.attached_indexes import names_of_attached
from boxfind.settings_schema import utf8_path
from index.storage.file_system import replace_file
from index.storage.gallery_rules import compiled
from index.storage.time_limit import answers
from retrieval.errors import BoxfindError, GalleryProblem
from retrieval.printable_names import shown

FILE = "collections.json"
DEFAULT, SAMPLE, ALL = "default", "sample", "all"
"""Names that no collection of the table has: the first one, the sample gallery, and all together."""
LONGEST_NAME = 100
"""Characters."""


class CollectionsProblem(BoxfindError):
    """The table of collections cannot be read or changed as asked."""


class UnreadableTable(CollectionsProblem):
    """The table itself cannot be used; the message names its file."""


class UnwritableTable(CollectionsProblem):
    """The table cannot be written; the message names what is not writable."""


class UnknownCollection(CollectionsProblem):
    """There is no collection of that name."""


@dataclass(frozen=True, slots=True)
class Collection:
    """Folders of pictures that are searched together."""

    name: str
    """Printable; names that differ only in upper and lower case are the same."""
    folders: tuple[Path, ...]
    """Absolute; none for the sample gallery, which is drawn."""
    excluded: tuple[str, ...] = ()
    """Gitignore patterns of files and folders that are left out, besides BOXFIND_IGNORE."""
    index: Path | None = None
    """The folder of its index; None for the one that the settings derive from the folder of pictures."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    folders: tuple[Path, ...]
    excluded: tuple[str, ...] = ()
    index: str = Field(pattern="^[a-z0-9-]+$")
    """Below `indexes` of the data folder."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")
    format: Literal[1] = 1
    collections: tuple[_Row, ...] = ()


class CollectionTable:
    """Reads and changes the table. Processes take turns to change it, and it is replaced atomically."""

    def __init__(self, data: Path) -> None:
        self._data = data.expanduser().resolve()
        self.file = self._data / FILE

    def read(self) -> tuple[Collection, ...]:
        """Return the collections, the first one first. Raises CollectionsProblem if the table cannot be used."""
        return tuple(
            Collection(row.name, row.folders, row.excluded, self._data / "indexes" / row.index)
            for row in self._read().collections
        )

    def add(self, name: str, folders: Sequence[Path], excluded: Sequence[str] = ()) -> Collection:
        """Add a collection at the end and return it. Raises CollectionsProblem.

        If pictures of these folders were indexed before, with these exclusions, that index is used again.
        """
        name, places = checked_name(name), _checked_folders(folders)
        patterns = checked_patterns(excluded)

        def changed(rows: tuple[_Row, ...]) -> tuple[_Row, ...]:
            _refuse_taken(name, rows)
            same = [row.name for row in rows if (row.folders, row.excluded) == (places, patterns)]
            if same:
                raise CollectionsProblem(f"The collection {shown(same[0])} has the same folders already.")
            own = _free_index(places, patterns, {row.index for row in rows} | names_of_attached(self._data, places[0]))
            return (*rows, _Row(name=name, folders=places, excluded=patterns, index=own))

        self._change(changed)
        return next(collection for collection in self.read() if collection.name == name)

    def remove(self, name: str) -> Collection:
        """Take a collection out of the table and return it. Pictures and index stay. Raises CollectionsProblem."""
        removed = _named(name, self.read())
        self._change(lambda rows: tuple(row for row in rows if row.name != removed.name))
        return removed

    def rename(self, old: str, new: str) -> Collection:
        """Give a collection another name; its index stays where it is. Raises CollectionsProblem."""
        new = checked_name(new)

        def changed(rows: tuple[_Row, ...]) -> tuple[_Row, ...]:
            row = _row(old, rows)
            _refuse_taken(new, tuple(other for other in rows if other is not row))
            return tuple(other.model_copy(update={"name": new}) if other is row else other for other in rows)

        self._change(changed)
        return _named(new, self.read())

    def move(
        self, name: str, folder: Path, old: Path | None = None, first: Callable[[], object] = lambda: None
    ) -> Collection:
        """Put another folder in the place of `old`, by default the first one of a collection; its index stays.

        `first` is called once it is certain that the table allows it. Raises CollectionsProblem, and its errors.
        """

        def changed(rows: tuple[_Row, ...]) -> tuple[_Row, ...]:
            row, place = _row(name, rows), _checked_folder(folder)
            replaced = old or row.folders[0]
            folders = [place if other == replaced else other for other in row.folders]  # the others may be away
            moved = row.model_copy(update={"folders": _not_nested(folders)})
            first()
            return tuple(moved if other is row else other for other in rows)

        self._change(changed)
        return _named(name, self.read())

    def make_first(self, name: str) -> None:
        """Let a collection be the one that is served if none is asked for. Raises CollectionsProblem."""
        self._change(
            lambda rows: (_row(name, rows), *(row for row in rows if not same_name(row.name, name))),
        )

    def _change(self, changed: Callable[[tuple[_Row, ...]], tuple[_Row, ...]]) -> None:
        try:
            self._data.mkdir(parents=True, exist_ok=True)
            with FileLock(self.file.with_suffix(".lock")):
                rows = changed(self._read().collections)
                part = self.file.with_name(f"{FILE}.{os.getpid()}-{secrets.token_hex(4)}")
                part.write_text(_Table(collections=rows).model_dump_json(indent=1), encoding="utf-8")
                replace_file(part, self.file)
        except OSError as error:
            raise UnwritableTable(f"{error.filename or self.file} cannot be written: {error.strerror}.") from None

    def _read(self) -> _Table:
        try:
            table = _Table.model_validate_json(self.file.read_bytes())
        except FileNotFoundError:
            return _Table()
        except OSError as error:
            raise UnreadableTable(f"The list of collections {self.file} cannot be read: {error.strerror}.") from None
        except ValidationError:
            table = None
        if table is None or len({_key(row.name) for row in table.collections}) < len(table.collections):
            raise UnreadableTable(
                f"The list of collections {self.file} is damaged, or was written by another version of Boxfind; repair "
                "it, or move it away to start a new one. Pictures and indexes are not affected."
            )
        return table


def same_name(one: str, other: str) -> bool:
    return _key(one) == _key(other)


def checked_name(name: str) -> str:
    """Return the name in NFC, without blanks around it. Raises CollectionsProblem."""
    name = unicodedata.normalize("NFC", name.strip())
    if not name or not name.isprintable():
        raise CollectionsProblem("A collection needs a name of printable characters.")
    if len(name) > LONGEST_NAME:
        raise CollectionsProblem(f"The name has {len(name)} characters; use at most {LONGEST_NAME}.")
    if _key(name) in (DEFAULT, SAMPLE, ALL):
        raise CollectionsProblem(f"{name!r} has a meaning of its own; choose another name.")
    return name


def checked_patterns(excluded: Sequence[str]) -> tuple[str, ...]:
    """Return gitignore patterns without blanks around them and empty ones. Raises CollectionsProblem for a bad one."""
    patterns = tuple(pattern.strip() for pattern in excluded if pattern.strip())
    try:
        compiled(patterns, "What is left out")
    except GalleryProblem as error:
        raise CollectionsProblem(str(error)) from None
    return patterns


def free_name(folder: Path, collections: Sequence[Collection]) -> str:
    """The name of a folder, or that and a number if a collection has it already."""
    base = shown(folder.name).strip()[: LONGEST_NAME - 20] or "Pictures"
    if _key(base) in (DEFAULT, SAMPLE, ALL):
        base = f"{base} pictures"
    taken, number = {_key(collection.name) for collection in collections}, 1
    name = base
    while _key(name) in taken:
        number += 1
        name = f"{base} {number}"
    return name


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.strip()).casefold())


def _checked_folders(folders: Sequence[Path]) -> tuple[Path, ...]:
    """Return the folders, resolved. Raises CollectionsProblem if one cannot be used, or lies in another."""
    if not folders:
        raise CollectionsProblem("A collection needs at least one folder.")
    return _not_nested([_checked_folder(folder) for folder in folders])


def _not_nested(places: Sequence[Path]) -> tuple[Path, ...]:
    """Raises CollectionsProblem if a folder lies in another."""
    for number, place in enumerate(places):
        others = [*places[:number], *places[number + 1 :]]
        around = next((other for other in others if place.is_relative_to(other)), None)
        if around:
            raise CollectionsProblem(f"{shown(str(place))} is in {shown(str(around))}; name the outer folder only.")
    return tuple(places)


def _checked_folder(folder: Path) -> Path:
    try:
        if not answers(folder.expanduser()):
            raise CollectionsProblem(f"{shown(str(folder))} does not answer; check that its drive is connected.")
        place = utf8_path(folder).expanduser().resolve()
        problem = "" if place.is_dir() else "there is no such folder"
        if not problem and not os.access(place, os.R_OK | os.X_OK):
            problem = "it cannot be opened"
    except (OSError, RuntimeError, ValueError) as error:  # a link loop, no such user, a null character
        problem = str(error)
    if problem:
        raise CollectionsProblem(f"{shown(str(folder))} cannot be searched: {problem}.")
    return place


def _free_index(folders: tuple[Path, ...], excluded: tuple[str, ...], taken: Container[str]) -> str:
    """The name of the index folder: that of the pictures' folder, made safe, and a hash of all that decides."""
    base, number = index_name(folders, excluded), 1
    name = base
    while name in taken:  # it has followed its pictures to another folder
        number += 1
        name = f"{base}-{number}"
    return name


def index_name(folders: Sequence[Path], excluded: Sequence[str] = ()) -> str:
    """The name of the index folder of a collection: readable, without special characters, and unlike any other."""
    readable = re.sub(r"[^a-z0-9]+", "-", folders[0].name.lower()).strip("-")[:40]
    decides = b"\0".join([*map(bytes, folders), *(f"!{pattern}".encode() for pattern in excluded)])
    return f"{readable}-{hashlib.sha256(decides).hexdigest()[:8]}"


def _named(name: str, collections: Sequence[Collection]) -> Collection:
    for collection in collections:
        if same_name(collection.name, name):
            return collection
    raise unknown(name, [collection.name for collection in collections])


def unknown(name: str, names: Sequence[str]) -> UnknownCollection:
    known = f"choose from: {', '.join(map(shown, names))}" if names else "`boxfind collections add` adds one"
    return UnknownCollection(f"There is no collection called {shown(name)!r}; {known}.")


def _row(name: str, rows: tuple[_Row, ...]) -> _Row:
    for row in rows:
        if same_name(row.name, name):
            return row
    raise unknown(name, [row.name for row in rows])


def _refuse_taken(name: str, rows: tuple[_Row, ...]) -> None:
    if any(same_name(row.name, name) for row in rows):
        raise CollectionsProblem(f"There is already a collection called {shown(name)}.")
