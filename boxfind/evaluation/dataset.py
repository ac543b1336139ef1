"""A labelled data set: boxed queries and which pictures answer them; and the CSV files it can be read from.

A CSV data set is a folder with queries/ (pictures), queries.csv (query,image,x,y,w,h: boxes in pixels of the upright
original; object if names do not say it), relevant.csv (query,image: ids in the gallery; x,y,w,h where the object's
place is known) and ignore.csv (query,image).
"""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from retrieval.errors import BadTable
from retrieval.types import Box, Hit

SIDES = ("x", "y", "w", "h")


@dataclass(frozen=True, slots=True)
class BoxedQuery:
    """A named box on a picture file; without a box, the whole picture."""

    name: str
    image: Path
    box: Box | None


@dataclass(frozen=True, slots=True)
class Labels:
    """What is right for each query: query -> image ids. A query that `relevant` does not name is not rated."""

    relevant: dict[str, set[str]]
    ignored: dict[str, set[str]]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled queries on a gallery; some data sets label the same queries in several ways, easy and hard for two."""

    name: str
    gallery: Path
    queries: list[BoxedQuery]
    labels: dict[str, Labels]
    objects: dict[str, str]
    """query -> the object it shows."""
    boxes: dict[tuple[str, str], list[Box]] = field(default_factory=dict)
    """(query, image) -> where in the image the object is, if known."""
    main: str = "all"
    """The labels whose figures come first."""
    protocol: str = "rectangular"
    """One of boxfind.evaluation.metrics.PROTOCOLS."""


def read_csv_folder(folder: Path) -> Dataset:
    """Raises BadTable, with the file and where it can the line."""
    queries = read_queries(folder / "queries.csv", folder / "queries")
    relevant = read_pairs(folder / "relevant.csv")
    unlabelled = [query.name for query in queries if query.name not in relevant]
    if unlabelled:
        raise BadTable(f"relevant.csv of {folder} says nothing about the query {unlabelled[0]}.")
    ignored = read_pairs(folder / "ignore.csv") if (folder / "ignore.csv").exists() else {}
    objects = {row["query"]: row["object"] for _, row in read_rows(folder / "queries.csv", ("query",), ("object",))}
    return Dataset(
        folder.resolve().name,
        folder / "gallery",
        queries,
        {"all": Labels(relevant, ignored)},
        {query.name: objects[query.name] or object_of(query.name) for query in queries},
        read_places(folder / "relevant.csv"),
    )


def object_of(query: str) -> str:
    """The object that the name of a query speaks of: red-mug of red-mug-0012, all_souls of all_souls_000013."""
    return re.sub(r"(?<=.)[-_]\d+$", "", query)


def read_queries(table: Path, images: Path) -> list[BoxedQuery]:
    """Raises BadTable, with the line, when a column or a number is missing."""
    queries = []
    for line, row in read_rows(table, ("query", "image", *SIDES)):
        queries.append(BoxedQuery(row["query"], images / row["image"], _box(row, table, line)))
    if not queries:
        raise BadTable(f"{table} has no rows.")
    if len({query.name for query in queries}) < len(queries):
        raise BadTable(f"{table}: two queries have the same name.")
    return queries


def read_pairs(table: Path) -> dict[str, set[str]]:
    """query -> image ids, from a CSV with those two columns. Raises BadTable."""
    pairs: dict[str, set[str]] = defaultdict(set)
    for line, row in read_rows(table, ("query", "image")):
        if not row["query"] or not row["image"]:
            raise BadTable(f"{table}, line {line}: query and image must not be empty.")
        pairs[row["query"]].add(row["image"])
    return dict(pairs)


def read_places(table: Path) -> dict[tuple[str, str], list[Box]]:
    """(query, image) -> boxes, from the rows of a CSV that have x, y, w and h. Raises BadTable."""
    places: dict[tuple[str, str], list[Box]] = defaultdict(list)
    for line, row in read_rows(table, ("query", "image"), SIDES):
        if any(row[side] for side in SIDES):
            box = _box(row, table, line)
            if box.width <= 0 or box.height <= 0:
                raise BadTable(f"{table}, line {line}: w and h must be more than 0.")
            places[row["query"], row["image"]].append(box)
    return dict(places)


def write_hits(out: Path, answers: Iterable[tuple[str, list[Hit]]]) -> None:
    """query,rank,image,score,x,y,w,h: the region that matched, in pixels of the gallery image. Raises BadTable."""
    rows = (
        (query, rank, hit.image, f"{hit.score:.6f}", *hit.region.box.xywh)
        for query, hits in answers
        for rank, hit in enumerate(hits, start=1)
    )
    write_table(out, ("query", "rank", "image", "score", *SIDES), rows)


def write_table(out: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """A CSV file. Raises BadTable."""
    try:
        with out.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(header)
            table.writerows(rows)
    except OSError as error:
        raise BadTable(f"{out} cannot be written: {error.strerror}.") from None


def csv_text(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([header, *rows])
    return out.getvalue()


def _box(row: dict[str, str], table: Path, line: int) -> Box:
    try:
        return Box.from_xywh(*(round(float(row[side])) for side in SIDES))
    except (ValueError, OverflowError):
        raise BadTable(f"{table}, line {line}: x, y, w and h must be numbers.") from None


def read_rows(table: Path, columns: tuple[str, ...], extra: tuple[str, ...] = ()) -> list[tuple[int, dict[str, str]]]:
    """The line on which each row ends, and the row; of what is missing, an extra column is empty, any other refused."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise BadTable(f"{table} has no column {missing[0]}; it needs {','.join(columns)}.")
            return [
                (reader.line_num, {column: row.get(column) or "" for column in (*columns, *extra)}) for row in reader
            ]
    except OSError as error:
        raise BadTable(f"{table} cannot be read: {error.strerror}.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadTable(f"{table} cannot be read: {error}.") from None
