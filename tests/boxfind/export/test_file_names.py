"""File names are valid on all systems and cannot traverse folders."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from boxfind.export.file_names import RESERVED
from boxfind.export.formats import FORMATS, file_name
from tests.boxfind.export.hostile import ANY_TEXT, HOSTILE

SUFFIXES = sorted({kind.suffix for kind in FORMATS.values()} | {".jpg"})


def check(name: str, suffix: str) -> None:
    assert name.endswith(suffix) and len(name) > len(suffix)
    assert len(name) <= 80 and len(name.encode()) <= 255
    assert name.isprintable() and not set(name) & set('<>:"/\\|?*')
    assert name[0] not in ".- " and name.removesuffix(suffix)[-1] not in ". "
    assert name.split(".")[0].rstrip().upper() not in RESERVED


@pytest.mark.parametrize("title", HOSTILE)
def test_hostile_titles(title):
    for suffix in SUFFIXES:
        check(file_name(title, suffix), suffix)


@given(st.one_of(ANY_TEXT, st.text(st.sampled_from(' .-/\\:conNULaux1¹😀"'), max_size=200)), st.sampled_from(SUFFIXES))
@example("x" * 74 + " . .", ".csv")
def test_any_title(title, suffix):
    check(file_name(title, suffix), suffix)


@pytest.mark.parametrize("title", ["CON", "nul.txt", "Aux ", "com1", "LPT¹", "con .x"])
def test_devices_are_kept_apart(title):
    assert file_name(title, ".csv").startswith("_")


def test_an_ordinary_title_is_kept():
    assert file_name("Red mug, 2nd (kitchen)", ".csv") == "Red mug, 2nd (kitchen).csv"
    assert file_name("console", ".csv") == "console.csv"
    assert file_name(unicodedata.normalize("NFD", "Café"), ".csv") == "Café.csv"
    assert file_name("a/b: c", ".coco.json") == "a-b- c.coco.json"
    assert file_name("\u202e", ".csv") == "search.csv"
