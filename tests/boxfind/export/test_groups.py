"""The group table lists all members and contains no formulas."""

import csv
import io

import pytest

from boxfind.export.groups import COLUMNS, groups_csv
from index.groups.groups import Group, Member
from index.storage.skipped_files import FORMULA
from retrieval.types import Box, Region
from tests.boxfind.export.hostile import HOSTILE


def group(*images: str) -> Group:
    region = Region(Box(3, 4, 13, 24), "grid")
    return Group(tuple(Member(image, region, 1, 0.75, image == images[-1]) for image in images))


def rows(data: bytes) -> list[dict[str, str]]:
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_a_row_for_each_picture_of_each_group() -> None:
    table = rows(groups_csv([group("a.jpg", "b.jpg"), group("a.jpg", "c.jpg")], ["Cups", ""]))
    assert tuple(table[0]) == COLUMNS
    assert [(row["group"], row["label"], row["image"]) for row in table] == [
        ("1", "Cups", "a.jpg"),
        ("1", "Cups", "b.jpg"),
        ("2", "", "a.jpg"),
        ("2", "", "c.jpg"),
    ]
    assert [table[0][side] for side in "xywh"] == ["3", "4", "10", "20"]
    assert [row["odd"] for row in table] == ["", "yes", "", "yes"] and table[0]["likeness"] == "0.750"


def test_without_groups_the_table_has_only_a_header() -> None:
    assert groups_csv([], []).decode("utf-8-sig").strip() == ",".join(COLUMNS)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_is_a_formula(text: str) -> None:
    (row,) = rows(groups_csv([group(text)], [text]))
    assert not row["image"].startswith(FORMULA) and not row["label"].startswith(FORMULA)
