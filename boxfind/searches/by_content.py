"""Find the marked pictures and the folder of a saved search again after they were renamed or moved in the gallery."""

import json
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, replace

from boxfind.searches.link import MOST_MARKS
from index.storage.tables import Tables
from retrieval.request import Request

SAMPLE = 64
"""Pictures by which a folder is known, at most."""
MOSTLY = 0.5
"""A folder is where more than this share of these pictures is now, below the same names."""
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class NamedContents:
    """The contents of what a search names by path."""

    marks: Pairs = ()
    """Id and SHA-256 of each marked picture."""
    folder: Pairs = ()
    """Path below the folder and SHA-256 of some pictures in it."""

    def to_json(self) -> str:
        return json.dumps([self.marks, self.folder])


UNKNOWN = NamedContents()
"""Nothing is known, as of searches that earlier versions saved."""


def contents_from_json(text: str) -> NamedContents:
    """What `to_json` wrote; UNKNOWN if it is malformed."""
    try:
        marks, folder = (tuple((str(path), str(sha256)) for path, sha256 in pairs) for pairs in json.loads(text))
    except (ValueError, TypeError):
        return UNKNOWN
    return NamedContents(marks[:MOST_MARKS], folder[:SAMPLE])


def named_contents(request: Request, tables: Tables, before: NamedContents = UNKNOWN) -> NamedContents:
    """The contents of what a request names now. What the index does not have keeps its contents of `before`."""
    hashes, known = tables.images["sha256"], dict(before.marks)
    marks = {image: hashes[tables.numbers[image]].as_py() for image in _marked(request) if image in tables.numbers}
    lost = {image: known[image] for image in _marked(request) if image in known and image not in marks}
    return NamedContents(tuple((marks | lost).items()), _folder_contents(request.folder, tables) or before.folder)


def with_current_names(request: Request, contents: NamedContents, tables: Tables) -> Request:
    """The request with the names that its marked pictures and its folder have now.

    Pictures whose file was edited under the same name, and those that the index does not have, keep their names.
    """
    known = dict(contents.marks)
    copies = tables.all_with_contents(known.values())
    kept = {image for image in _marked(request) if _is_named(image, known, tables, copies)}
    taken = {*kept}
    names: dict[str, str] = {}
    for image in _marked(request):
        found = [tables.ids[number] for number in copies.get(known.get(image, ""), ())]
        free = image if image in kept else next((name for name in found if name not in taken), image)
        taken.add(free)
        names[image] = free
    positives, negatives = (
        tuple(dict.fromkeys(names[image] for image in marks)) for marks in (request.positives, request.negatives)
    )
    return replace(
        request,
        folder=_current_folder(request.folder, contents.folder, tables),
        positives=positives,
        negatives=tuple(image for image in negatives if image not in positives),
    )


def _marked(request: Request) -> tuple[str, ...]:
    return (*request.positives, *request.negatives)


def _is_named(image: str, known: dict[str, str], tables: Tables, copies: dict[str, list[int]]) -> bool:
    """Whether a picture still has its name: it has its contents, or no picture has them any more."""
    number = tables.numbers.get(image)
    found = copies.get(known.get(image, ""), ())
    return number is not None and (not found or number in found)


def _folder_contents(folder: str, tables: Tables) -> Pairs:
    """A spread sample of the pictures below a folder; empty for the whole gallery."""
    below = _numbers_below(folder, tables) if folder else range(0)
    chosen = below[:: max(1, -(-len(below) // SAMPLE))]
    hashes = tables.images["sha256"]
    return tuple((tables.ids[number].removeprefix(f"{folder}/"), hashes[number].as_py()) for number in chosen)


def _current_folder(folder: str, contents: Pairs, tables: Tables) -> str:
    """The folder with most of the pictures that were in `folder`, which keeps its name while it has pictures."""
    if not folder or not contents or _numbers_below(folder, tables):
        return folder
    copies = tables.all_with_contents(sha256 for _, sha256 in contents)
    votes: Counter[str] = Counter()
    for path, sha256 in contents:
        ends = (tables.ids[number] for number in copies.get(sha256, ()))
        votes.update({image.removesuffix(f"/{path}") for image in ends if image.endswith(f"/{path}")})
    best, count = next(iter(votes.most_common(1)), (folder, 0))
    return best if count > MOSTLY * len(contents) else folder


def _numbers_below(folder: str, tables: Tables) -> range:
    """The numbers of the pictures below a folder: ids are sorted."""
    return range(bisect_left(tables.ids, f"{folder}/"), bisect_left(tables.ids, f"{folder}0"))  # 0 comes after /
