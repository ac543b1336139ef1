"""Query tables are read, or rejected with the line and the column of the error."""

import csv
from pathlib import Path

import pytest

from boxfind.evaluation.dataset import (
    BoxedQuery,
    Labels,
    object_of,
    read_csv_folder,
    read_labels,
    read_queries,
    write_hits,
    write_table,
)
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
    with pytest.raises(BadTable, match=rf"has no column {column}; it needs the columns query,image,x,y,w,h\."):
        read_queries(table(",".join(names) + "\n1,2,3,4,5\n"), Path())


@pytest.mark.parametrize(
    "row", ["b,b.jpg,1,2,3,wide", "b,b.jpg,1,2,3", "b,b.jpg,1,2,,4", "b,b.jpg,1,2,inf,4", "b,b.jpg,nan,2,3,4"]
)
def test_a_bad_number_is_named_by_its_line(table, row):
    with pytest.raises(BadTable, match=r"queries\.csv, line 3: x, y, w and h must be numbers\."):
        read_queries(table(f"{HEADER}a,a.jpg,1,2,3,4\n{row}\n"), Path())


def test_a_line_is_counted_in_the_file_not_in_rows(table):
    with pytest.raises(BadTable, match="line 4: x, y, w and h"):
        read_queries(table(f'{HEADER}"a\nb",a.jpg,1,2,3,4\nb,b.jpg,1,2,3,wide\n'), Path())


def test_two_queries_of_one_name(table):
    with pytest.raises(BadTable, match="two queries of the same name"):
        read_queries(table(HEADER + "a,a.jpg,1,2,3,4\na,b.jpg,1,2,3,4\n"), Path())


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "no column query"), (HEADER.encode(), "no rows"), (b"\xff\xfe\x00", "cannot be read")]
)
def test_an_unusable_file_is_refused(table, content, says):
    with pytest.raises(BadTable, match=says):
        read_queries(table(content), Path())


def test_no_file(tmp_path: Path):
    for path in (tmp_path / "gone.csv", tmp_path):
        with pytest.raises(BadTable, match="cannot be read"):
            read_queries(path, Path())


def test_relevant_images(table):
    images = {"a": {"1.jpg", "2.jpg"}, "b": {"1.jpg"}}
    assert read_labels(table("query,image\na,1.jpg\na,2.jpg\nb,1.jpg\na,1.jpg\n")) == (images, {})
    assert read_labels(table("query,image\n")) == ({}, {})  # nothing to ignore
    with pytest.raises(BadTable, match="no column image"):
        read_labels(table("query\na\n"))


@pytest.mark.parametrize("row", ["a,", ",1.jpg", "a"])
def test_an_empty_query_or_image_is_refused(table, row):
    with pytest.raises(BadTable, match=r"queries\.csv, line 3: query and image must not be empty\."):
        read_labels(table(f"query,image\nb,1.jpg\n{row}\n"))


def test_boxes_of_the_object(table):
    path = table("query,image,x,y,w,h\na,1.jpg,1,2,3,4\na,2.jpg,,,,\na,1.jpg,10,20,5,5\nb,1.jpg,0.4,0,2,2\n")
    images, boxes = read_labels(path)
    assert images == {"a": {"1.jpg", "2.jpg"}, "b": {"1.jpg"}}
    assert boxes == {("a", "1.jpg"): [Box(1, 2, 4, 6), Box(10, 20, 15, 25)], ("b", "1.jpg"): [Box(0, 0, 2, 2)]}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("1,2,3,", "must be numbers"),
        ("1,,3,4", "must be numbers"),
        ("1,2,3,tall", "must be numbers"),
        ("1,2,0,4", "w and h must be greater than 0"),
        ("1,2,4,-1", "w and h must be greater than 0"),
    ],
)
def test_a_bad_box_is_named_by_its_line(table, row, says):
    with pytest.raises(BadTable, match=rf"line 3: .*{says}\."):
        read_labels(table(f"query,image,x,y,w,h\na,1.jpg,,,,\na,2.jpg,{row}\n"))


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("red-mug-0012", "red-mug"),
        ("all_souls_000013", "all_souls"),
        ("area-51-2", "area-51"),
        ("mug", "mug"),
        ("q7", "q7"),
        ("-7", "-7"),
        ("007", "007"),
    ],
)
def test_the_object_in_the_name_of_a_query(query, shown):
    assert object_of(query) == shown


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mugs"
    folder.mkdir()
    (folder / "queries.csv").write_text(HEADER + "mug-1,a.jpg,1,2,3,4\ncup-2,b.jpg,1,2,3,4\n")
    (folder / "relevant.csv").write_text("query,image\nmug-1,1.jpg\ncup-2,2.jpg\nmug-1,2.jpg\n")
    return folder


def test_a_folder(folder):
    (folder / "ignore.csv").write_text(
        "query,image,x,y,w,h\nmug-1,3.jpg,1,,,\n"
    )  # boxes of ignored images are not read
    found = read_csv_folder(folder)
    assert (found.name, found.gallery, found.main, found.protocol) == ("mugs", folder / "gallery", "all", "rectangular")
    assert [(query.name, query.image) for query in found.queries] == [
        ("mug-1", folder / "queries" / "a.jpg"),
        ("cup-2", folder / "queries" / "b.jpg"),
    ]
    assert found.labels == {
        "all": Labels({"mug-1": {"1.jpg", "2.jpg"}, "cup-2": {"2.jpg"}}, {"mug-1": {"3.jpg"}}),
    }
    assert found.objects == {"mug-1": "mug", "cup-2": "cup"} and found.boxes == {}


def test_optional_columns_of_a_folder(folder):
    (folder / "queries.csv").write_text(
        "object,query,image,x,y,w,h\nred mug,mug-1,a.jpg,1,2,3,4\n,cup-2,b.jpg,1,2,3,4\n"
    )
    (folder / "relevant.csv").write_text("query,image,x,y,w,h\nmug-1,1.jpg,5,5,1,1\ncup-2,2.jpg\n")
    found = read_csv_folder(folder)
    assert found.labels["all"].ignored == {}
    assert found.objects == {"mug-1": "red mug", "cup-2": "cup"}
    assert found.boxes == {("mug-1", "1.jpg"): [Box(5, 5, 6, 6)]}


def test_a_folder_with_a_query_that_has_no_labels(folder):
    (folder / "relevant.csv").write_text("query,image\nmug-1,1.jpg\n")
    with pytest.raises(BadTable, match=r"relevant\.csv has no row for the query cup-2; add one\."):
        read_csv_folder(folder)


def test_hits_are_written_with_ranks_and_matched_regions(tmp_path: Path):
    hits = [
        Hit("a,b\n.jpg", Region(Box(1, 2, 31, 42), "grid"), 0.87654321, 0.8, "likely", match=97),
        Hit("ü.jpg", Region(Box(0, 0, 640, 480), "whole"), -0.5, -0.5, "unlikely"),
    ]
    write_hits(tmp_path / "hits.csv", [("q1", hits), ("q2", []), ("q3", hits[1:])])
    with (tmp_path / "hits.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["query", "rank", "image", "score", "x", "y", "w", "h", "match"],
        ["q1", "1", "a,b\n.jpg", "0.876543", "1", "2", "30", "40", "97"],
        ["q1", "2", "ü.jpg", "-0.500000", "0", "0", "640", "480", ""],
        ["q3", "1", "ü.jpg", "-0.500000", "0", "0", "640", "480", ""],
    ]


def test_hits_that_cannot_be_written(tmp_path: Path):
    with pytest.raises(BadTable, match=r"cannot be written: .*\.$"):
        write_hits(tmp_path / "gone" / "hits.csv", [])


def test_a_table_is_written_as_it_is(tmp_path: Path):
    write_table(tmp_path / "any.csv", ["a", "b"], [["x,y", 1.5], ["", None]])
    assert (tmp_path / "any.csv").read_text() == 'a,b\n"x,y",1.5\n,\n'
