"""Every fault in docs/reliability.md names its tests, or says why it has none."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FAULTS = 100
ROW = re.compile(r"\| (?P<number>\d+) \| (?P<fault>.+) \| (?P<happens>.+) \| (?P<proof>.+) \|")
ROWS = [
    found
    for line in (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8").splitlines()
    if (found := ROW.fullmatch(line))
]
TESTS = {
    node.name
    for path in (ROOT / "tests").rglob("test_*.py")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
}


def numbers(test: str) -> list[int]:
    """Row numbers in a test's name: 1 and 3 for test_r01_r03_and_so_on."""
    prefix = re.match(r"test((?:_r\d{2,})+)_", test)
    return [int(number) for number in re.findall(r"\d+", prefix[1])] if prefix else []


def test_there_is_a_row_for_every_fault():
    assert [int(row["number"]) for row in ROWS] == list(range(1, FAULTS + 1))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"r{int(row['number']):02}")
def test_a_row_names_its_tests_and_no_others(row):
    named = set(re.findall(r"`(test_\w+)`", row["proof"]))
    assert not named - TESTS, "there is no such test"
    assert not {test for test in TESTS if int(row["number"]) in numbers(test)} - named, "a test that is not named"
    assert named or re.fullmatch(r"later: \w.+", row["proof"]), "neither a test nor a reason"


def test_no_test_belongs_to_a_fault_that_is_not_listed():
    assert not [test for test in TESTS if not all(1 <= number <= FAULTS for number in numbers(test))]
