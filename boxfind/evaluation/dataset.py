"""Labelled data sets: boxed queries with their relevant images, read from a folder of CSV files.

A CSV data set is a folder with queries/ (pictures), queries.csv (query,image,x,y,w,h, boxes in pixels of the upright
original; optional column object, by default derived from the query name), relevant.csv (query,image, gallery ids;
optional columns x,y,w,h with the position of the object) and optionally ignore.csv (query,image). If not all of the
gallery has been judged, wrong.csv (query,image) lists the images known to be wrong.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from boxfind.export.table import write_rows
from retrieval.errors import BadTable
from retrieval.types import Box, Hit

SIDES = ("x", "y", "w", "h")


@dataclass(frozen=True, slots=True)
class BoxedQuery:
    """A named query: a box on an image file, None for the whole image."""

    name: str
    image: Path
    box: Box | None


@dataclass(frozen=True, slots=True)
class Labels:
    """Relevant, ignored and wrong images: query -> image ids. A query missing from `relevant` is not rated.

    `wrong` is None if every image that is not relevant is wrong. Otherwise images in neither set have not been judged.
    """

    relevant: dict[str, set[str]]
    ignored: dict[str, set[str]]
    wrong: dict[str, set[str]] | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled queries on a gallery; `labels` may hold several label sets, such as easy and hard."""

    name: str
    gallery: Path
    queries: list[BoxedQuery]
    labels: dict[str, Labels]
    objects: dict[str, str]
    """query -> object it shows."""
    boxes: dict[tuple[str, str], list[Box]] = field(default_factory=dict)
    """(query, image) -> boxes of the object in the image, if known."""
    main: str = "all"
    """The label set that the headline figures use."""
    protocol: str = "rectangular"
    """One of boxfind.evaluation.metrics.PROTOCOLS."""


def read_csv_folder(folder: Path) -> Dataset:
    """Read a CSV data set. Raises BadTable, with the file and, if possible, the line."""
    queries = read_queries(folder / "queries.csv", folder / "queries")
    relevant, boxes = read_labels(folder / "relevant.csv")
    unlabelled = [query.name for query in queries if query.name not in relevant]
    if unlabelled:
        raise BadTable(f"{folder / 'relevant.csv'} has no row for the query {unlabelled[0]}; add one.")
    ignored = read_labels(folder / "ignore.csv", with_boxes=False)[0] if (folder / "ignore.csv").exists() else {}
    wrong = read_labels(folder / "wrong.csv", with_boxes=False)[0] if (folder / "wrong.csv").exists() else None
    objects = {row["query"]: row["object"] for _, row in read_rows(folder / "queries.csv", ("query",), ("object",))}
    return Dataset(
        folder.resolve().name,
        folder / "gallery",
        queries,
        {"all": Labels(relevant, ignored, wrong)},
        {query.name: objects[query.name] or object_of(query.name) for query in queries},
        boxes,
        protocol="rectangular" if wrong is None else "judged",
    )


def object_of(query: str) -> str:
    """Derive the object from a query name: red-mug from red-mug-0012, all_souls from all_souls_000013."""
    return re.sub(r"(?<=.)[-_]\d+$", "", query)


def read_queries(table: Path, images: Path) -> list[BoxedQuery]:
    """Read queries from a CSV file. Raises BadTable, with the line, for a missing column or an invalid number."""
    queries = [
        BoxedQuery(row["query"], images / row["image"], _box(row, table, line))
        for line, row in read_rows(table, ("query", "image", *SIDES))
    ]
    if not queries:
        raise BadTable(f"{table} has no rows; add one for each query.")
    if len({query.name for query in queries}) < len(queries):
        raise BadTable(f"{table} has two queries of the same name; rename one of them.")
    return queries


def read_labels(table: Path, with_boxes: bool = True) -> tuple[dict[str, set[str]], dict[tuple[str, str], list[Box]]]:
    """Read a CSV with the columns query and image, and optionally x, y, w, h. Raises BadTable, with the line.

    Returns query -> image ids, and (query, image) -> boxes for the rows that have one.
    """
    images: dict[str, set[str]] = defaultdict(set)
    boxes: dict[tuple[str, str], list[Box]] = defaultdict(list)
    for line, row in read_rows(table, ("query", "image"), SIDES):
        if not row["query"] or not row["image"]:
            raise BadTable(f"{table}, line {line}: query and image must not be empty.")
        images[row["query"]].add(row["image"])
        if with_boxes and any(row[side] for side in SIDES):
            box = _box(row, table, line)
            if box.width <= 0 or box.height <= 0:
                raise BadTable(f"{table}, line {line}: w and h must be greater than 0.")
            boxes[row["query"], row["image"]].append(box)
    return dict(images), dict(boxes)


def write_hits(out: Path, answers: Iterable[tuple[str, list[Hit]]]) -> None:
    """Write query,rank,image,score,x,y,w,h,match: boxes of regions in pixels of the gallery image. Raises BadTable."""
    rows = (
        (query, rank, hit.image, f"{hit.score:.6f}", *hit.region.box.xywh, hit.match)
        for query, hits in answers
        for rank, hit in enumerate(hits, start=1)
    )
    write_table(out, ("query", "rank", "image", "score", *SIDES, "match"), rows)


def write_table(out: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a CSV file. Raises BadTable."""
    try:
        with out.open("w", encoding="utf-8", newline="") as file:
            write_rows(file, header, rows)
    except OSError as error:
        raise BadTable(f"{out} cannot be written: {error.strerror}.") from None


def _box(row: dict[str, str], table: Path, line: int) -> Box:
    try:
        return Box.from_xywh(*(round(float(row[side])) for side in SIDES))
    except (ValueError, OverflowError):
        raise BadTable(f"{table}, line {line}: x, y, w and h must be numbers.") from None


def read_rows(table: Path, columns: tuple[str, ...], extra: tuple[str, ...] = ()) -> list[tuple[int, dict[str, str]]]:
    """Read (line number, row) pairs. Missing `extra` columns are empty. Raises BadTable for a missing column."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise BadTable(f"{table} has no column {missing[0]}; it needs the columns {','.join(columns)}.")
            return [
                (reader.line_num, {column: row.get(column) or "" for column in (*columns, *extra)}) for row in reader
            ]
    except OSError as error:
        raise BadTable(f"{table} cannot be read: {error.strerror}.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadTable(f"{table} cannot be read: {error}.") from None
