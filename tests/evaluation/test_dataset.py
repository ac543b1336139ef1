"""Tables of queries are read, or refused with the line and the column that is wrong."""

import csv
from pathlib import Path

import pytest

from evaluation.dataset import BoxedQuery, read_pairs, read_queries, write_hits
from retrieval.errors import BadTable
from retrieval.types import Box, Hit, Region

HEADER = "query,image,x,y,w,h\n"


@pytest.fixture
def table(tmp_path: Path):
    def written(text: str | bytes) -> Path:
        path = tmp_path / "queries.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return written


def test_queries(table):
    path = table(HEADER + 'mug-1,a/b.jpg,1,2,30,40\n"cup, red",ü.png,0.4,1.6,9.5,12\n')
    assert read_queries(path, Path("/pictures")) == [
        BoxedQuery("mug-1", Path("/pictures/a/b.jpg"), Box(1, 2, 31, 42)),
        BoxedQuery("cup, red", Path("/pictures/ü.png"), Box(0, 2, 10, 14)),
    ]


def test_a_byte_order_mark_other_columns_another_order_and_windows_line_ends(table):
    path = table(b"\xef\xbb\xbfimage,query,h,w,y,x,note\r\na.jpg,q,4,3,2,1,hello\r\n")
    assert read_queries(path, Path()) == [BoxedQuery("q", Path("a.jpg"), Box(1, 2, 4, 6))]


@pytest.mark.parametrize("column", ["query", "image", "x", "y", "w", "h"])
def test_a_missing_column(table, column):
    names = [name for name in HEADER.strip().split(",") if name != column]
    with pytest.raises(BadTable, match=rf"has no column {column}; it needs query,image,x,y,w,h\."):
        read_queries(table(",".join(names) + "\n1,2,3,4,5\n"), Path())


@pytest.mark.parametrize(
    "row", ["b,b.jpg,1,2,3,wide", "b,b.jpg,1,2,3", "b,b.jpg,1,2,,4", "b,b.jpg,1,2,inf,4", "b,b.jpg,nan,2,3,4"]
)
def test_a_bad_number_is_named_by_its_line(table, row):
    with pytest.raises(BadTable, match=r"queries\.csv, line 3: x, y, w and h must be numbers\."):
        read_queries(table(f"{HEADER}a,a.jpg,1,2,3,4\n{row}\n"), Path())


def test_two_queries_of_one_name(table):
    with pytest.raises(BadTable, match="two queries have the same name"):
        read_queries(table(HEADER + "a,a.jpg,1,2,3,4\na,b.jpg,1,2,3,4\n"), Path())


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "no column query"), (HEADER.encode(), "no rows"), (b"\xff\xfe\x00", "cannot be read")]
)
def test_nothing_in_it(table, content, says):
    with pytest.raises(BadTable, match=says):
        read_queries(table(content), Path())


def test_no_file(tmp_path: Path):
    for path in (tmp_path / "gone.csv", tmp_path):
        with pytest.raises(BadTable, match="cannot be read"):
            read_queries(path, Path())


def test_pairs(table):
    assert read_pairs(table("query,image\na,1.jpg\na,2.jpg\nb,1.jpg\na,1.jpg\n")) == {
        "a": {"1.jpg", "2.jpg"},
        "b": {"1.jpg"},
    }
    assert read_pairs(table("query,image\n")) == {}  # nothing to ignore
    with pytest.raises(BadTable, match="no column image"):
        read_pairs(table("query\na\n"))


def test_hits_are_written_with_ranks_and_matched_regions(tmp_path: Path):
    hits = [
        Hit("a,b\n.jpg", Region(Box(1, 2, 31, 42), "grid"), 0.87654321),
        Hit("ü.jpg", Region(Box(0, 0, 640, 480), "whole"), -0.5),
    ]
    write_hits(tmp_path / "hits.csv", [("q1", hits), ("q2", []), ("q3", hits[1:])])
    with (tmp_path / "hits.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["query", "rank", "image", "score", "x", "y", "w", "h"],
        ["q1", "1", "a,b\n.jpg", "0.876543", "1", "2", "30", "40"],
        ["q1", "2", "ü.jpg", "-0.500000", "0", "0", "640", "480"],
        ["q3", "1", "ü.jpg", "-0.500000", "0", "0", "640", "480"],
    ]


def test_hits_that_cannot_be_written(tmp_path: Path):
    with pytest.raises(BadTable, match=r"cannot be written: .*\.$"):
        write_hits(tmp_path / "gone" / "hits.csv", [])
