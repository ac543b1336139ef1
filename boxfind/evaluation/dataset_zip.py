"""Export saved searches and their marks as a ZIP of a data set folder for `boxfind evaluate`."""

import io
import re
import zipfile
from collections.abc import Callable, Sequence

from boxfind.evaluation.dataset import SIDES
from boxfind.evaluation.ratings import Judged
from boxfind.export.file_names import unique_names
from boxfind.export.table import csv_text
from index.storage.skipped_files import harmless
from retrieval.errors import UnreadableImage
from retrieval.printable_names import printable

FOLDER = "boxfind-marks"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest ZIP timestamp; a constant, so that equal searches give equal files."""
README = f"""\
A Boxfind data set made from saved searches and the results that users marked.

queries.csv has one box on a picture in queries/ for each search, relevant.csv the gallery pictures marked as right,
wrong.csv those marked as wrong, ignore.csv the gallery copies of the query pictures. Pictures in none of them have not
been judged and do not count. Unpack the folder, then evaluate an index of the same gallery:

    boxfind evaluate --index INDEX --dataset {FOLDER} --rank best
"""


def unfit(search: Judged) -> str:
    """Return why a search does not fit this format, which allows one box on one image; empty if it fits."""
    if search.problem or search.missing:
        return search.problem or search.missing
    if len(search.request.examples) > 1:
        return "It has more than one box."
    if search.request.only.parts:
        return "It is limited by a filter."
    return "It is limited to one folder." if search.request.folder else ""


def dataset_zip(searches: Sequence[Judged], jpeg: Callable[[str], bytes]) -> bytes:
    """Return the ZIP. `jpeg` returns the upright image with a SHA-256 as JPEG, or raises UnreadableImage.

    Searches that do not fit or whose image is gone are left out; README.txt lists them with the reasons.
    """
    left_out = {search.name: unfit(search) for search in searches if unfit(search)}
    pictures: dict[str, bytes] = {}
    fitting = []
    for search in searches:
        if search.name in left_out:
            continue
        key = search.request.examples[0].picture
        try:
            pictures[key] = pictures.get(key) or jpeg(key)
            fitting.append(search)
        except UnreadableImage as error:
            left_out[search.name] = str(error)
    return _packed({"README.txt": _readme(left_out).encode(), **_tables(fitting)}, pictures)


def _tables(searches: Sequence[Judged]) -> dict[str, bytes]:
    stems = (re.sub(r"[\W_]+", "-", search.name.casefold())[:40].strip("-") for search in searches)
    names = unique_names(stem or "search" for stem in stems)
    queries, relevant, wrong, ignored = [], [], [], []
    for name, search in zip(names, searches, strict=True):
        example = search.request.examples[0]
        box = example.box.grown(search.request.context)
        queries.append((name, f"{example.picture}.jpg", *box.xywh, harmless(printable(search.name))))
        relevant += [(name, image) for image in sorted(search.positives)]
        wrong += [(name, image) for image in sorted(search.negatives)]
        ignored += [(name, image) for image in search.own]
    return {
        "queries.csv": csv_text(("query", "image", *SIDES, "object"), queries).encode(),
        "relevant.csv": csv_text(("query", "image"), relevant).encode(),
        "wrong.csv": csv_text(("query", "image"), wrong).encode(),
        "ignore.csv": csv_text(("query", "image"), ignored).encode(),
    }


def _readme(left_out: dict[str, str]) -> str:
    lines = [f"- {printable(name)}: {printable(reason)}" for name, reason in left_out.items()]
    return README + ("\nLeft out:\n" + "\n".join(lines) + "\n" if lines else "")


def _packed(texts: dict[str, bytes], pictures: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(f"{FOLDER}/{name}", EPOCH), text, zipfile.ZIP_DEFLATED)
        for key, picture in pictures.items():
            archive.writestr(zipfile.ZipInfo(f"{FOLDER}/queries/{key}.jpg", EPOCH), picture, zipfile.ZIP_STORED)
    return out.getvalue()
