"""Explain why a picture is or is not found, from the index and the gallery folder."""

import difflib
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from index.building.previous_generation import OF_THE_FILE
from index.operations.folder_changes import BRING_IN, has_changed
from index.storage.folder_scan import Found, Skipped, find_pictures, path_bytes
from index.storage.generation import Generation, current_folder, open_generation, read_skipped
from index.storage.tables import ImageEntry
from retrieval.images.limits import SUFFIXES
from retrieval.networks.weights import file_sha256
from retrieval.printable_names import printable
from retrieval.types import Region

NEAR = 3
Verdict = Literal[
    "indexed", "changed", "gone", "skipped", "new", "hidden", "no picture", "folder", "outside", "missing"
]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The status of a picture. `image` is its id in the index, or empty."""

    verdict: Verdict
    sentences: list[str]
    image: str = ""
    regions: list[Region] = field(default_factory=list)


def explain(index_dir: Path, asked: str) -> Explanation:
    """Explain `asked`: an image id, a path relative to the gallery, or any path. Raises IndexProblem."""
    index = _Index(open_generation(current_folder(index_dir)))
    places = list(_candidate_paths(asked, index.root))
    for place in places:
        number = index.number(place)
        if number is not None:
            return _indexed(index, number)
    for place in places:
        path = index.root / place
        if os.path.lexists(path):
            return _in_the_folder(index, place)
    if os.path.lexists(asked):
        return _outside(index, Path(asked))
    return _missing(index, asked)


class _Index:
    """The served generation, looked up by file name."""

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self.tables = generation.tables
        self.root = Path(generation.manifest.gallery)
        self.skipped = {file.file: file for file in read_skipped(generation.folder)}
        self.paths = {path: n for n, path in enumerate(self.tables.images["path"].to_pylist())}
        self.built = f"{generation.manifest.created:%Y-%m-%d %H:%M} UTC"

    def number(self, place: Path) -> int | None:
        return self.paths.get(path_bytes(place), self.tables.numbers.get(_id(place)))


def _candidate_paths(asked: str, root: Path) -> Iterator[Path]:
    """Candidate paths relative to the gallery: `asked` as a relative path, then as any path."""
    given = Path(asked)
    below = Path(os.path.normpath(given))
    if not given.is_absolute() and below.parts[:1] not in ((), ("..",)):
        yield below
    path = given.absolute().parent.resolve() / given.name  # resolve the folder, but not a link itself
    if path.is_relative_to(root) and path != root:
        yield path.relative_to(root)


def _id(place: Path) -> str:
    return unicodedata.normalize("NFC", path_bytes(place).decode("utf-8", "replace"))


def _indexed(index: _Index, number: int) -> Explanation:
    entry = index.tables.entry(number)
    regions = [index.tables.region(row) for row in index.tables.rows_of(number)]
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(region.kind for region in regions).items())
    said = [
        f"{printable(entry.image)} is in the index {index.generation.folder.name} of {index.built}: "
        f"{entry.width} x {entry.height} pixels, {len(regions)} regions ({kinds})."
    ]
    verdict, more = _file_status(index, entry)
    return Explanation(verdict, [*said, more], entry.image, regions)


def _file_status(index: _Index, entry: ImageEntry) -> tuple[Verdict, str]:
    if not index.root.is_dir():
        return "gone", f"The gallery folder {index.root} does not exist; check that its disk is connected."
    path = index.root / os.fsdecode(entry.path)
    try:
        status = path.stat()
    except OSError:
        return "gone", f"The file is no longer in {index.root}; searches find it until the index is updated."
    found = Found(entry.image, path, status.st_size, status.st_mtime)
    if has_changed(found, entry, index.generation.manifest.created):
        return "changed", f"The file has changed since; searches use the old version. {BRING_IN}"
    return "indexed", (
        "The file has not changed since. Its rank depends on the box: "
        "draw it closer around the object, or list more results (--top 0 lists every picture)."
    )


def _in_the_folder(index: _Index, place: Path) -> Explanation:
    """A file or folder below the gallery that is not in the index."""
    path, name = index.root / place, printable(str(place))
    if any(part.startswith(".") for part in place.parts):
        return Explanation(
            "hidden", [f"{name} is hidden: files and folders whose name starts with a dot are not indexed. Rename it."]
        )
    if path.is_dir() and not path.is_symlink():
        return Explanation("folder", [f"{name} is a folder; ask about one of the pictures in it."])
    if not path.name.lower().endswith(SUFFIXES):
        return Explanation("no picture", [f"{name} is not indexed: its name must end in {', '.join(SUFFIXES)}."])
    return _not_indexed(index, place, name)


def _not_indexed(index: _Index, place: Path, name: str) -> Explanation:
    found, skipped = find_pictures(index.root)
    now = {file.file: file for file in skipped}
    for above in (place, *place.parents):  # a linked or unreadable folder stands for all files below it
        if _id(above) in now:
            return Explanation("skipped", [f"{name} cannot be used: {now[_id(above)].sentence}"])
    by_path = {picture.path.relative_to(index.root.resolve()): picture for picture in found}
    picture = by_path.get(place)
    before = index.skipped.get(picture.id if picture else _id(place))
    if before is None:
        return Explanation("new", [f"{name} was added after the index was built ({index.built}). {BRING_IN}"])
    return Explanation("skipped", [f"{name} was skipped: {before.sentence}", _retry_sentence(picture, before)])


def _retry_sentence(picture: Found | None, before: Skipped) -> str:
    if before.reason in OF_THE_FILE:
        return "Every build tries it again."
    if picture is None or (picture.bytes, picture.mtime) == (before.bytes, before.mtime):
        return "The file has not changed since."
    return f"The file has changed since. {BRING_IN}"


def _outside(index: _Index, path: Path) -> Explanation:
    said = [f"{printable(str(path))} is outside the gallery {index.root}, so it is not indexed."]
    return Explanation(
        "outside", said + [f"The same picture is indexed as {same}." for same in _same_contents(index, path)]
    )


def _same_contents(index: _Index, path: Path) -> list[str]:
    if not path.is_file():
        return []
    wanted = file_sha256(path)
    hashes = index.tables.images["sha256"].to_pylist()
    return [printable(image) for image, hash_ in zip(index.tables.ids, hashes, strict=True) if hash_ == wanted]


def _missing(index: _Index, asked: str) -> Explanation:
    said = [
        f"The file {printable(asked)} does not exist, neither in the gallery {index.root} nor in the current folder."
    ]
    if not index.root.is_dir():
        said.append(f"The gallery folder {index.root} does not exist; check that its disk is connected.")
    near = _similar_ids(asked, index.tables.ids)
    if near:
        said.append(f"Similar names in the index: {', '.join(map(printable, near))}.")
    return Explanation("missing", said)


def _similar_ids(asked: str, ids: list[str]) -> list[str]:
    """Ids with the same file name in other folders, else ids spelled similarly."""
    name = asked.rpartition("/")[2].casefold()
    same = [image for image in ids if image.rpartition("/")[2].casefold() == name]
    return (same or difflib.get_close_matches(asked, ids, NEAR))[:NEAR]
