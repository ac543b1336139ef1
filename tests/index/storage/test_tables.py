"""Tables survive a round trip, and inconsistent ones are rejected."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from index.storage.tables import ImageEntry, read_tables, write_tables
from retrieval.types import Box, Region


def entry(image: str, **changes: object) -> ImageEntry:
    facts = {
        "path": image.encode(),
        "width": 640,
        "height": 480,
        "bytes": 12345,
        "mtime": 1234567890.125,
        "sha256": "ab" * 32,
        "thumb_file": "thumbs/0000.jpgs",
        "thumb_start": 77,
        "thumb_bytes": 88,
        "keypoints_file": "keypoints/0000.bin",
        "keypoints_start": 99,
        "keypoints_bytes": 132,
    }
    return ImageEntry(image=image, **{**facts, **changes})


ENTRIES = [
    entry("a/ü.jpg", path=b"a/\xff.jpg"),
    entry("b\n.jpg", thumb_start=2**40, keypoints_start=2**41),
    entry("😀.jpg", width=20_000, taken=datetime(2019, 7, 14, 21, 5, 59)),
]
REGIONS = [
    [Region(Box(0, 0, 640, 480), "whole"), Region(Box(1, 2, 3, 4), "grid")],
    [Region(Box(0, 0, 640, 480), "whole")],
    [Region(Box(5, 6, 7, 8), "grid"), Region(Box(9, 9, 20_000, 10), "grid")],
]


def test_tables_are_read_as_written(tmp_path: Path):
    write_tables(tmp_path, ENTRIES, REGIONS)
    read = read_tables(tmp_path)
    assert read.ids == [e.image for e in ENTRIES]
    assert [read.entry(n) for n in range(3)] == ENTRIES
    assert [[read.region(row) for row in read.rows_of(n)] for n in range(3)] == REGIONS
    assert read.image_of_row.tolist() == [0, 0, 1, 2, 2]
    assert all(read.numbers[image] == n for n, image in enumerate(read.ids))


def test_tables_of_earlier_versions_have_no_date_taken(tmp_path: Path):
    write_tables(tmp_path, ENTRIES, REGIONS)
    file = tmp_path / "images.parquet"
    pq.write_table(pq.read_table(file).drop_columns("taken"), file)
    assert [read_tables(tmp_path).entry(n).taken for n in range(3)] == [None] * 3


def test_a_second_round_trip_changes_nothing(tmp_path: Path):
    write_tables(tmp_path, ENTRIES, REGIONS)
    read = read_tables(tmp_path)
    (tmp_path / "again").mkdir()
    write_tables(
        tmp_path / "again",
        [read.entry(n) for n in range(3)],
        [[read.region(row) for row in read.rows_of(n)] for n in range(3)],
    )
    for table in ("images.parquet", "regions.parquet"):
        assert pq.read_table(tmp_path / table).equals(pq.read_table(tmp_path / "again" / table))


def test_images_without_regions(tmp_path: Path):
    write_tables(tmp_path, ENTRIES[:2], [[], REGIONS[1]])
    read = read_tables(tmp_path)
    assert list(read.rows_of(0)) == [] and list(read.rows_of(1)) == [0]
    write_tables(tmp_path, ENTRIES[:1], [[]])
    assert len(read_tables(tmp_path).image_of_row) == 0


@pytest.mark.parametrize("order", [[1, 0, 2], [0, 0, 1]])
def test_ids_out_of_order_or_twice(tmp_path: Path, order):
    write_tables(tmp_path, [ENTRIES[n] for n in order], [REGIONS[n] for n in order])
    with pytest.raises(ValueError, match="not unique or not sorted"):
        read_tables(tmp_path)


def test_regions_of_an_unknown_image(tmp_path: Path):
    write_tables(tmp_path, ENTRIES, REGIONS)
    images = pq.read_table(tmp_path / "images.parquet")
    pq.write_table(images.slice(0, 2), tmp_path / "images.parquet")
    with pytest.raises(ValueError, match="do not match"):
        read_tables(tmp_path)


def test_a_table_with_other_columns(tmp_path: Path):
    write_tables(tmp_path, ENTRIES, REGIONS)
    pq.write_table(pa.table({"image": ["a"]}), tmp_path / "regions.parquet")
    with pytest.raises((ValueError, KeyError, pa.ArrowException)):
        read_tables(tmp_path)


def test_all_images_with_some_contents_are_found(tmp_path: Path):
    entries = [entry(f"{n}.jpg", sha256=sha256 * 64) for n, sha256 in enumerate("abca")]
    write_tables(tmp_path, entries, [REGIONS[1]] * 4)
    read = read_tables(tmp_path)
    assert read.all_with_contents(["a" * 64, "b" * 64, "x"]) == {"a" * 64: [0, 3], "b" * 64: [1]}
    assert read.all_with_contents([]) == {}


@pytest.mark.parametrize("path", [b"", b"/a.jpg", b"a//b.jpg", b"a/", b"..", b"a/../b.jpg", b"a\0.jpg"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_path_that_leaves_the_gallery_is_refused(tmp_path: Path, path, place):
    entries = [replace(e, path=path) if n == place else e for n, e in enumerate(ENTRIES)]
    write_tables(tmp_path, entries, REGIONS)
    with pytest.raises(ValueError, match="outside the gallery"):
        read_tables(tmp_path)


def test_two_dots_in_a_name_are_allowed(tmp_path: Path):
    entries = [replace(ENTRIES[0], path=b"a../..b.jpg"), *ENTRIES[1:]]
    write_tables(tmp_path, entries, REGIONS)
    assert read_tables(tmp_path).entry(0).path == b"a../..b.jpg"
