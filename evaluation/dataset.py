"""The CSV files of labelled queries and of rankings, read and written.

A data set is a folder with queries/ (pictures), queries.csv (query,image,x,y,w,h: boxes in pixels of the upright
original), relevant.csv and ignore.csv (query,image: ids in the gallery).
"""

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from retrieval.errors import BadTable
from retrieval.types import Box, Hit


@dataclass(frozen=True, slots=True)
class BoxedQuery:
    """A named box on a picture file."""

    name: str
    image: Path
    box: Box


def read_queries(table: Path, images: Path) -> list[BoxedQuery]:
    """Raises BadTable, with the line, when a column or a number is missing."""
    queries = []
    for line, row in enumerate(_rows(table, ("query", "image", "x", "y", "w", "h")), start=2):
        try:
            box = Box.from_xywh(*(round(float(row[side])) for side in ("x", "y", "w", "h")))
        except (ValueError, OverflowError):
            raise BadTable(f"{table}, line {line}: x, y, w and h must be numbers.") from None
        queries.append(BoxedQuery(row["query"], images / row["image"], box))
    if not queries:
        raise BadTable(f"{table} has no rows.")
    if len({query.name for query in queries}) < len(queries):
        raise BadTable(f"{table}: two queries have the same name.")
    return queries


def read_pairs(table: Path) -> dict[str, set[str]]:
    """query -> image ids, from a CSV with those two columns. Raises BadTable."""
    pairs: dict[str, set[str]] = defaultdict(set)
    for row in _rows(table, ("query", "image")):
        pairs[row["query"]].add(row["image"])
    return dict(pairs)


def write_hits(out: Path, answers: Iterable[tuple[str, list[Hit]]]) -> None:
    """query,rank,image,score,x,y,w,h: the region that matched, in pixels of the gallery image. Raises BadTable."""
    try:
        with out.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["query", "rank", "image", "score", "x", "y", "w", "h"])
            for query, hits in answers:
                for rank, hit in enumerate(hits, start=1):
                    table.writerow([query, rank, hit.image, f"{hit.score:.6f}", *hit.region.box.xywh])
    except OSError as error:
        raise BadTable(f"{out} cannot be written: {error.strerror}.") from None


def _rows(table: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise BadTable(f"{table} has no column {missing[0]}; it needs {','.join(columns)}.")
            return [{column: row[column] or "" for column in columns} for row in reader]
    except OSError as error:
        raise BadTable(f"{table} cannot be read: {error.strerror}.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadTable(f"{table} cannot be read: {error}.") from None
