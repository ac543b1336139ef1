"""Explain why a picture is or is not found, from the index and the gallery folder, and which text it contains."""

import difflib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from index.building.previous_generation import RETRIED_REASONS, is_tried_again, rules_of
from index.operations.explain_text import NO_QUERY, TextExplanation, TextQuestion, explain_text
from index.operations.folder_changes import BRING_IN, has_changed
from index.storage.folder_scan import Scan, ScannedFile, Skipped, id_of, path_bytes, scan_gallery
from index.storage.gallery_rules import (
    DEFAULT_RULES,
    IGNORE_FILE,
    LIVE,
    NO_MEDIA,
    OWN,
    PATTERN,
    RAW_TWIN,
    SYSTEM,
    GalleryRules,
)
from index.storage.generation import Generation, current_folder, open_generation
from index.storage.skipped_files import read_skipped
from index.storage.tables import ImageEntry
from retrieval.images.limits import SOURCE_SUFFIXES
from retrieval.networks.weights import file_sha256
from retrieval.printable_names import printable
from retrieval.types import Region, WrittenLine

SIMILAR = 3
"""Most similar names to suggest."""
Verdict = Literal[
    "indexed", "changed", "gone", "skipped", "new", "left out", "hidden", "no picture", "folder", "outside", "missing"
]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The status of a picture. `image` is its id in the index, or empty."""

    verdict: Verdict
    sentences: list[str]
    image: str = ""
    regions: list[Region] = field(default_factory=list)
    written: list[WrittenLine] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    """Words of the query that are written in the picture, word for word or nearly."""


def explain(
    index_dir: Path,
    asked: str,
    rules: GalleryRules = DEFAULT_RULES,
    outside: bool = True,
    text: TextQuestion = NO_QUERY,
) -> Explanation:
    """Explain `asked`: an image id, a path relative to the gallery, or any path. Raises IndexProblem, GalleryProblem.

    `rules` are those of the next build. Without `outside`, only files below the gallery are looked at.
    """
    index = _Index(open_generation(current_folder(index_dir)))
    rules = rules.with_own_folder(index_dir)
    paths = list(_candidate_paths(asked, index.root, rules))
    for path in paths:
        number = index.number(path)
        if number is not None:
            return _indexed(index, number, rules, explain_text(index_dir, index.sha256(number), text))
        page = index.skipped.get(id_of(path.as_posix()))
        if page and page.place:
            retry = _retry(index, page, None, rules)
            return Explanation("skipped", [f"{printable(page.file)} was skipped: {page.sentence}", retry])
    for path in paths:
        if os.path.lexists(index.root / path):
            return _not_indexed(index, path, rules)
    if outside and os.path.lexists(asked):
        return _outside(index, Path(asked))
    return _missing(index, asked, outside)


class _Index:
    """The served generation, looked up by file name."""

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self.tables = generation.tables
        self.root = Path(generation.manifest.gallery)
        self.skipped = {file.file: file for file in read_skipped(generation.folder)}
        self.paths: dict[bytes, list[int]] = {}
        for number, path in enumerate(self.tables.images["path"].to_pylist()):
            self.paths.setdefault(path, []).append(number)
        self.built = f"{generation.manifest.created:%Y-%m-%d %H:%M} UTC"

    def number(self, path: Path) -> int | None:
        """The number of the image with this path, or the first one of a file; None if there is none."""
        numbers = self.paths.get(path_bytes(path))
        return numbers[0] if numbers else self.tables.numbers.get(id_of(path.as_posix()))

    def sha256(self, number: int) -> str:
        return self.tables.entry(number).sha256


def _candidate_paths(asked: str, root: Path, rules: GalleryRules) -> Iterator[Path]:
    """Candidate paths as in the index: `asked` as a relative path, then as any path."""
    given = Path(asked)
    relative = Path(os.path.normpath(given))
    if not given.is_absolute() and relative.parts[:1] not in ((), ("..",)):
        yield relative
    path = given.absolute().parent.resolve() / given.name  # resolve the folder, but not a link itself
    if path.is_relative_to(root) and path != root:
        yield path.relative_to(root)
    elif any(path.is_relative_to(folder) and path != folder for folder in rules.more_folders):
        yield path


def _indexed(index: _Index, number: int, rules: GalleryRules, text: TextExplanation) -> Explanation:
    entry = index.tables.entry(number)
    regions = [index.tables.region(row) for row in index.tables.rows_of(number)]
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(region.kind for region in regions).items())
    first = (
        f"{printable(entry.image)} is in the index {index.generation.folder.name} of {index.built}: "
        f"{entry.width} x {entry.height} pixels, {len(regions)} regions ({kinds})."
    )
    others = index.paths[entry.path]
    if len(others) > 1:
        skipped = sum(page.source == entry.source for page in index.skipped.values())
        first += f" Its file holds {len(others)} pictures of the index{f'; skipped: {skipped}' * bool(skipped)}."
    verdict, second = _file_status(index, entry)
    why = _why_dropped(index, entry, rules) if verdict != "gone" else ""
    more = [f"The next update leaves it out: {why}."] if why else []
    return Explanation(verdict, [first, second, *more, *text.sentences], entry.image, regions, text.lines, text.shared)


def _file_status(index: _Index, entry: ImageEntry) -> tuple[Verdict, str]:
    if not index.root.is_dir():
        return "gone", f"The gallery folder {index.root} does not exist; check that its disk is connected."
    path = index.root / os.fsdecode(entry.path)
    try:
        status = path.stat()
    except OSError:
        return "gone", f"The file is no longer in {index.root}; searches find it until the index is updated."
    file = ScannedFile(entry.source, path, entry.path, status.st_size, status.st_mtime)
    if has_changed(file, entry, index.generation.manifest.created):
        return "changed", f"The file has changed since; searches use the old version. {BRING_IN}"
    return "indexed", "The file has not changed since. Its rank depends on the box: draw it closer around the object."


def _why_dropped(index: _Index, entry: ImageEntry, rules: GalleryRules) -> str:
    """Why the rules leave out an indexed picture; empty if they do not."""
    if min(entry.width, entry.height) < rules.min_side:
        return f"its shorter side is below BOXFIND_MIN_SIDE, {rules.min_side} pixels"
    return _why_left_out(Path(os.fsdecode(entry.path)), scan_gallery(index.root, rules))


def _not_indexed(index: _Index, path: Path, rules: GalleryRules) -> Explanation:
    """Explain a file or folder below the gallery that is not in the index."""
    name = printable(str(path))
    if any(part.startswith(".") for part in path.parts):
        sentence = f"{name} is hidden: files and folders whose name starts with a dot are not indexed. Rename it."
        return Explanation("hidden", [sentence])
    scan = scan_gallery(index.root, rules)
    why = _why_left_out(path, scan)
    if why:
        return Explanation("left out", [f"{name} is left out: {why}."])
    if (index.root / path).is_dir() and not (index.root / path).is_symlink():
        return Explanation("folder", [f"{name} is a folder; ask about one of the pictures in it."])
    found, skipped_now = scan.found, {file.file: file for file in scan.skipped}
    for above in (path, *path.parents):  # a linked or unreadable folder stands for all files below it
        skipped = skipped_now.get(id_of(above.as_posix()))
        if skipped:
            return Explanation("skipped", [f"{name} cannot be used: {skipped.sentence}"])
    picture = next((picture for picture in found if picture.relative == path_bytes(path)), None)
    if picture is None:
        return Explanation("no picture", [_not_a_picture(name)])
    before = index.skipped.get(picture.id)
    if before is None and index.generation.manifest.wave:
        return Explanation("new", [f"{name} has not been read yet: the index is not finished. {BRING_IN}"])
    if before is None:
        return Explanation("new", [f"{name} was added after the index was built ({index.built}). {BRING_IN}"])
    retry = _retry(index, before, picture, rules)
    return Explanation("skipped", [f"{name} was skipped: {before.sentence}", retry])


def _retry(index: _Index, before: Skipped, picture: ScannedFile | None, rules: GalleryRules) -> str:
    """Whether the next build tries a skipped file or page again. `picture` is the file as it is now, if known."""
    if before.reason in RETRIED_REASONS:
        return "Every build tries it again."
    if is_tried_again(before, rules_of(index.generation.manifest), rules):
        return f"The settings that leave it out have changed since. {BRING_IN}"
    if picture is None:
        return "The next build tries it again if its file has changed."
    if (picture.bytes, picture.mtime) == (before.bytes, before.mtime):
        return "The file has not changed since."
    return f"The file has changed since. {BRING_IN}"


def _not_a_picture(name: str) -> str:
    suffixes = ", ".join(SOURCE_SUFFIXES)
    return f"{name} is not indexed: its name does not end in {suffixes}, and it does not begin like a picture."


def _why_left_out(path: Path, scan: Scan) -> str:
    """Why a path, or a folder above it, is left out; empty if it is not."""
    left_out = {entry.path: entry.why for entry in scan.left_out}
    above = next((above for above in (path, *path.parents) if path_bytes(above) in left_out), None)
    if above is None:
        return ""
    name = printable(above.name)
    return {
        SYSTEM: f"{name} is a folder of the operating system or of another program",
        NO_MEDIA: f"the folder {name} contains a file {NO_MEDIA}",
        OWN: f"{name} is a folder of Boxfind",
        LIVE: f"{name} is the film of a Live Photo, and the photo beside it is indexed",
        RAW_TWIN: f"a JPEG of the same name as {name} is beside it and shows the same picture",
        PATTERN: f"a pattern in BOXFIND_IGNORE or in a file {IGNORE_FILE} matches {name}",
    }[left_out[path_bytes(above)]]


def _outside(index: _Index, path: Path) -> Explanation:
    sentences = [f"{printable(str(path))} is outside the gallery {index.root}, so it is not indexed."]
    if path.is_file():
        contents, hashes = file_sha256(path), index.tables.images["sha256"].to_pylist()
        files = index.tables.images["file_sha256"].to_pylist()
        same = [
            image
            for image, sha256, file in zip(index.tables.ids, hashes, files, strict=True)
            if (file or sha256) == contents
        ]
        sentences += [f"The same picture is indexed as {printable(image)}." for image in same]
    return Explanation("outside", sentences)


def _missing(index: _Index, asked: str, outside: bool) -> Explanation:
    places = f"neither in the gallery {index.root} nor in the current folder"
    sentences = [
        f"The file {printable(asked)} does not exist, {places}."
        if outside
        else f"There is no file {printable(asked)} in the gallery {index.root}."
    ]
    if not index.root.is_dir():
        sentences.append(f"The gallery folder {index.root} does not exist; check that its disk is connected.")
    similar = _similar_ids(asked, index.tables.ids)
    if similar:
        sentences.append(f"Similar names in the index: {', '.join(map(printable, similar))}.")
    return Explanation("missing", sentences)


def _similar_ids(asked: str, ids: list[str]) -> list[str]:
    """Ids with the same file name in other folders, else ids spelled similarly."""
    name = asked.rpartition("/")[2].casefold()
    same = [image for image in ids if image.rpartition("/")[2].casefold() == name]
    return (same or difflib.get_close_matches(asked, ids, SIMILAR))[:SIMILAR]
