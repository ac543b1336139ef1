"""Read queries from a folder of pictures with a text file of boxes beside each.

The text file has the name of the picture and one box per line: `x y w h` in pixels of the upright picture, separated
by spaces, commas or tabs. Each line is a query. A picture without a text file is one query for the whole picture.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from boxfind.evaluation.dataset import BoxedQuery
from retrieval.errors import BadDataset, BoxfindError
from retrieval.images.decode import read_file
from retrieval.images.limits import SUFFIXES
from retrieval.printable_names import shown
from retrieval.types import Box

EXAMPLE = "write x y w h in pixels, as in 10 20 200 150"


def read_query_folder(folder: Path) -> tuple[list[BoxedQuery], list[str]]:
    """Return the queries, ordered by picture, and a message for each invalid file or line.

    A query is named after its picture, without the suffix; for several boxes cup-1, cup-2, …, numbered by non-empty
    line. Subfolders and hidden files are ignored. Raises BadDataset when the folder is unreadable or has no pictures.
    """
    files = _files(folder)
    pictures = [file for file in files if file.suffix.lower() in SUFFIXES]
    if not pictures:
        raise BadDataset(f"{folder} contains no pictures ({', '.join(SUFFIXES)}).")
    texts = {file.stem: file for file in files if file.suffix.lower() == ".txt"}
    named: dict[str, BoxedQuery] = {}
    problems = []
    for picture in pictures:
        for found in _queries(picture, texts.get(picture.stem)):
            if isinstance(found, str):
                problems.append(found)
            elif found.name in named:
                other = shown(named[found.name].image.name)
                problems.append(f"{shown(picture.name)}: {other} has a query of the same name; rename one of them.")
            else:
                named[found.name] = found
    alone = texts.keys() - {picture.stem for picture in pictures}
    problems += [f"{shown(texts[stem].name)} has no picture of the same name; add one." for stem in sorted(alone)]
    return list(named.values()), problems


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if not file.name.startswith(".") and not file.is_dir())
    except OSError as error:
        raise BadDataset(f"The folder {folder} cannot be opened: {error.strerror}.") from None


def _queries(picture: Path, text: Path | None) -> Iterator[BoxedQuery | str]:
    """Yield the queries of one picture, or a message for each one that is invalid."""
    name = os.fsencode(picture.stem).decode("utf-8", "replace")  # tables are UTF-8
    if text is None:
        yield BoxedQuery(name, picture, None)
        return
    try:
        lines = read_file(text).decode("utf-8-sig", "replace").splitlines()
    except BoxfindError as error:
        yield str(error)
        return
    written = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not written:
        yield f"{shown(text.name)} is empty; {EXAMPLE}, or delete the file to search for the whole picture."
    for place, (number, line) in enumerate(written, start=1):
        box = _box(line)
        if box is None:
            yield f"{shown(text.name)}, line {number}: {shown(line.strip())} is not a box; {EXAMPLE}."
        else:
            yield BoxedQuery(name if len(written) == 1 else f"{name}-{place}", picture, box)


def _box(line: str) -> Box | None:
    try:
        x, y, w, h = (round(float(number)) for number in line.replace(",", " ").split())
    except (ValueError, OverflowError):
        return None
    return Box.from_xywh(x, y, w, h) if w > 0 and h > 0 else None
