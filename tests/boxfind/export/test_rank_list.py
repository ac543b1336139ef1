"""A rank list has one line per query, and any name can be read back."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxfind.export.rank_list import rank_list
from retrieval.types import Box, Hit, Region
from tests.boxfind.export.hostile import ANY_TEXT, HOSTILE

NAME = r'"(?:[^"\\]|\\.)*"|[^\s":]+'
LINE = re.compile(rf"query (?P<query>{NAME}): matches(?P<images>(?: (?:{NAME}))*)")


def found(*images: str) -> list[Hit]:
    return [Hit(image, Region(Box(0, 0, 9, 9), "whole"), 0.5, 0.5, "possible") for image in images]


def read(text: str) -> list[tuple[str, list[str]]]:
    """Parse a rank list by the format described in rank_list.py."""
    lines = [LINE.fullmatch(line) for line in text.split("\n")[:-1]]
    assert all(lines) and text.encode("utf-8").endswith(b"\n")
    return [
        (plain(line["query"]), [plain(name) for name in re.findall(NAME, line["images"])]) for line in lines if line
    ]


def plain(name: str) -> str:
    return json.loads(name) if name.startswith('"') else name


def test_ordinary_names_are_not_quoted():
    text = rank_list([("cup-1", found("cups/blue.jpg", "schön.png")), ("red mug", found("a b.jpg")), ("none", [])])
    assert text == (
        "query cup-1: matches cups/blue.jpg schön.png\n"
        'query "red mug": matches "a b.jpg"\n'
        "query none: matches\n"
    )  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_read_back(name: str):
    assert read(rank_list([(name, found(name, "b.jpg", name))])) == [(name, [name, "b.jpg", name])]


@given(st.lists(st.tuples(ANY_TEXT, st.lists(ANY_TEXT, max_size=3)), min_size=1, max_size=3))
def test_any_names_read_back_in_order(answers):
    assert read(rank_list([(query, found(*images)) for query, images in answers])) == answers
