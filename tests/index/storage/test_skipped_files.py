"""The CSV of skipped files keeps every name, and contains no formulas."""

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.storage.folder_scan import Skipped
from index.storage.skipped_files import EXPORTED, harmless, skipped_csv

NAMES = [
    "plain.jpg",
    'comma, "quote" and \n line.jpg',
    "😀 שלום é.jpg",
    "=cmd|' /C calc'!A0.jpg",
    "+1.jpg",
    "-rf.jpg",
    "@sum(1).jpg",
    "\ttab.jpg",
    "\rreturn.jpg",
    "folder/=1+1.jpg",
    "x" * 255,
]


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("name", NAMES)
def test_r50_odd_names_and_formulas(name):
    (row,) = read(skipped_csv([Skipped(name, "empty", f"{name} is empty.", 7, 1.5)]))
    assert tuple(row) == EXPORTED and row["bytes"] == "7"
    assert row["file"].removeprefix("'") == name and row["file"][0] not in "=+-@\t\r\n"
    assert row["sentence"][0] not in "=+-@\t\r\n"


def test_r50_pandas_reads_it():
    table = pd.read_csv(io.StringIO(skipped_csv([Skipped(name, "empty", "Empty.", 1) for name in NAMES])))
    assert [str(name).removeprefix("'") for name in table["file"]] == NAMES


def test_r50_nothing_and_ten_thousand():
    assert read(skipped_csv([])) == [] and skipped_csv([]).strip() == ",".join(EXPORTED)
    assert len(read(skipped_csv(Skipped(f"{n}.jpg", "empty", "Empty.") for n in range(10_000)))) == 10_000


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), max_size=5))
def test_r50_any_name_comes_back(names):
    rows = read(skipped_csv([Skipped(name, "empty", "Empty.") for name in names]))
    assert [row["file"] for row in rows] == [harmless(name) for name in names]
    assert all(harmless(name) in (name, f"'{name}") for name in names)
