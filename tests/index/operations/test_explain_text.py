"""`explain` says what is written in a picture, which words of a query it has, and why it was not read."""

import pytest
from filelock import FileLock

from index.building.read_text import LOCK
from index.operations.explain import explain
from index.operations.explain_text import MOST_LINES, TextQuestion
from index.storage.generation import current_folder
from index.storage.picture_contents import contents_of
from index.storage.tables import read_tables
from index.storage.written_text import WrittenText
from retrieval.types import Box, WrittenLine


@pytest.fixture
def index(gallery, build_index):
    return build_index(gallery).parent


def write(index, image: str, *lines: WrittenLine) -> None:
    tables = read_tables(current_folder(index))
    WrittenText(index).add({int(contents_of([tables.entry(tables.numbers[image]).sha256])[0]): lines})


def line(text: str, y: int = 10) -> WrittenLine:
    return WrittenLine(text, Box(10, y, 90, y + 20), 0.9)


def said(index, image: str, *words: str, off: str = "") -> str:
    return explain(index, image, text=TextQuestion(words, off)).sentences[-1]


def test_what_is_written_is_quoted(index):
    write(index, "1.png", line("COCA"), line("COLA", 35))
    explanation = explain(index, "1.png")
    assert explanation.sentences[-1] == "Written in it: “COCA”, “COLA”."
    assert explanation.written == [line("COCA"), line("COLA", 35)] and explanation.shared == []
    write(index, "2.png")
    assert said(index, "2.png", "coca") == "Nothing is written in it that could be read."
    write(index, "3.png", *(line(f"line\n{number}") for number in range(MOST_LINES + 2)))
    assert said(index, "3.png").endswith("“line\ufffd19” and 2 more lines.")


def test_words_of_a_query_are_found_word_for_word_nearly_or_not(index):
    write(index, "1.png", line("GRAND"), line("HOTEL", 35))
    write(index, "2.png", line("light"))
    assert said(index, "1.png", "hotel") == "Of the query it has “hotel”."
    told = "Of the query it has “hotel”; nearly “gramd” (in “GRAND”); not “light”."
    assert said(index, "1.png", "gramd", "light", "hotel") == told
    assert said(index, "1.png", "light") == "Of the query it has not “light”."
    assert "nearly “grand hotel” (in “GRAND / HOTEL”)" in said(index, "1.png", "grand hotel")
    shared = explain(index, "1.png", text=TextQuestion(("gramd", "light", "hotel"))).shared
    assert shared == ["gramd", "hotel"]


def test_a_picture_that_was_not_read(index):
    pending = "What is written in it has not been read yet; the next update reads it."
    assert said(index, "1.png", "coca") == pending
    write(index, "2.png", line("COCA"))
    assert said(index, "1.png") == pending
    with FileLock(index / LOCK):
        assert said(index, "1.png").endswith("pictures are being read now.")
    assert said(index, "1.png", off="BOXFIND_TEXT is 0") == "What is written in it was not read: BOXFIND_TEXT is 0."
    assert said(index, "2.png", off="BOXFIND_TEXT is 0") == "Written in it: “COCA”."
