"""Explain what is written in an indexed picture, and which words of a query it has."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.building.read_text import is_reading
from index.storage.picture_contents import PictureContents, contents_of
from index.storage.written_search import find_written
from index.storage.written_text import WrittenText
from retrieval.printable_names import printable
from retrieval.types import WrittenLine, WrittenMatch

MOST_LINES = 20
"""Lines that are quoted, and words of a query that are looked for."""


@dataclass(frozen=True, slots=True)
class TextQuestion:
    """The words of a query, and why pictures are not read for text; empty if they are."""

    words: tuple[str, ...] = ()
    off: str = ""


NO_QUERY = TextQuestion()


@dataclass(frozen=True, slots=True)
class TextExplanation:
    """What is written in a picture, and the words of the query that are written in it, word for word or nearly."""

    sentences: list[str]
    lines: list[WrittenLine]
    shared: list[str]


def explain_text(index_dir: Path, sha256: str, question: TextQuestion) -> TextExplanation:
    """Explain the text of the picture whose file has this SHA-256."""
    text, contents = WrittenText(index_dir), contents_of([sha256])
    if not text.has_read(int(contents[0])):
        return TextExplanation([_unread(index_dir, question.off)], [], [])
    lines = text.lines(int(contents[0]))
    if not lines:
        return TextExplanation(["Nothing is written in it that could be read."], [], [])
    sentences = [f"Written in it: {_quoted([line.text for line in lines])}."]
    words = question.words[:MOST_LINES]
    picture = PictureContents(contents, np.zeros(1, np.int64))
    matches = find_written(words, text, picture, lambda some: np.ones(len(some), np.bool_), 1).get(0, [])
    if words:
        sentences.append(_shared(words, matches))
    return TextExplanation(sentences, lines, [match.sought for match in matches])


def _unread(index_dir: Path, off: str) -> str:
    if off:
        return f"What is written in it was not read: {off}."
    if is_reading(index_dir):
        return "What is written in it has not been read yet; pictures are being read now."
    return "What is written in it has not been read yet; the next update reads it."


def _shared(words: Sequence[str], matches: Sequence[WrittenMatch]) -> str:
    """ "Of the query it has “coca”; nearly “colla” (in “COLA”); not “zero”." """
    exact = [match.sought for match in matches if match.score == 1]
    nearly = [f"{_quoted([match.sought])} (in {_quoted([match.line.text])})" for match in matches if match.score < 1]
    missing = [word for word in words if word not in {match.sought for match in matches}]
    parts = [
        _quoted(exact),
        f"nearly {', '.join(nearly)}" if nearly else "",
        f"not {_quoted(missing)}" if missing else "",
    ]
    return f"Of the query it has {'; '.join(filter(None, parts))}."


def _quoted(texts: Sequence[str]) -> str:
    more = len(texts) - MOST_LINES
    quoted = [f"“{printable(text)}”" for text in texts[:MOST_LINES]]
    return ", ".join(quoted) + (f" and {more} more {'line' if more == 1 else 'lines'}" if more > 0 else "")
