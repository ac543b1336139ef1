"""Find pictures by what is written in them: word for word, within longer words, and with one wrong letter."""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.storage.picture_contents import Contents, PictureContents
from index.storage.picture_filter import Mask
from index.storage.written_text import LINE_BITS, VOCABULARY_LETTERS, WrittenText, line_of
from retrieval.ranking.region_search import best_position_per_image
from retrieval.text.words import is_character, one_letter_apart, words_in
from retrieval.types import Numbers, Scores, WrittenLine, WrittenMatch

MIN_LETTERS = VOCABULARY_LETTERS.start
"""Shorter words, and fewer characters, are only found as they are."""
MAX_LONGER_WORDS = 100
"""Longer words that are looked up, the shortest ones."""
FREQUENT = 5000
"""Lines with a word from which on no similar words are looked up."""
APART = 0.95
"""Score of words that are in the line, but not one after the other."""
MIN_SCORE = 0.7
"""Lines that score less are no match."""
LAST = "\U0010ffff"
"""Sorts after all other characters."""

Lines = NDArray[np.int64]
"""Numbers of lines in the database."""


@dataclass(frozen=True, slots=True)
class FoundLines:
    """M lines, ascending, and how well the sought text matches: 1 for word for word. Two arrays (M,)."""

    lines: Lines
    scores: Scores

    @property
    def pictures(self) -> Numbers:
        """The number of each line's picture in the database, (M,)."""
        return self.lines >> LINE_BITS

    def best_of_pictures(self) -> "FoundLines":
        """The best line of each picture."""
        best = best_position_per_image(self.scores, self.pictures)
        return FoundLines(self.lines[best], self.scores[best])


def find_written(
    sought: Sequence[str], text: WrittenText, pictures: PictureContents, searched: Callable[[Numbers], Mask], most: int
) -> dict[int, list[WrittenMatch]]:
    """The `most` pictures that match these texts best, best first, each with its best line for every text it has.

    A picture is better the more of the texts it has, the rarer they are, and the better they match. `searched` tells
    which of some images are searched. Without a usable database no picture is found.
    """
    try:
        with text.reading() as connection:
            return _find_written(sought, connection, pictures, searched, most) if connection else {}
    except sqlite3.DatabaseError:
        return {}


def find_lines(sought: str, connection: sqlite3.Connection) -> FoundLines:
    """The lines that hold a text, or one like it. Their score is the mean of the words', weighted by their letters.

    Raises sqlite3.DatabaseError.
    """
    words = words_in(sought)
    terms = _terms(words)
    each = [_find_term(term, connection) for term in terms]
    if len(terms) < 2:
        found = _merged(each, np.maximum)
    else:
        letters = len("".join(words))
        weights = [APART * len("".join(term)) / letters for term in terms]
        apart = _merged([_times(weight, found) for weight, found in zip(weights, each, strict=True)], np.add)
        together = _look_up({_phrase(words): 1.0, _phrase(["".join(words)]): 1.0}, connection)
        found = _merged([apart, together], np.maximum)
    enough = found.scores >= MIN_SCORE
    return FoundLines(found.lines[enough], found.scores[enough])


def _find_written(
    sought: Sequence[str],
    connection: sqlite3.Connection,
    pictures: PictureContents,
    searched: Callable[[Numbers], Mask],
    most: int,
) -> dict[int, list[WrittenMatch]]:
    read = connection.execute("SELECT count(*) FROM pictures").fetchone()[0]
    found = {one: find_lines(one, connection).best_of_pictures() for one in sought}
    rarities = {one: float(np.log1p(read / max(len(of_one.lines), 1))) for one, of_one in found.items()}
    weighted = [FoundLines(of_one.pictures, rarities[one] * of_one.scores) for one, of_one in found.items()]
    ranked = _merged(weighted, np.add)  # of pictures, not of lines
    images, places = pictures.places(_contents_of(ranked.lines, connection))
    inside = searched(images)
    images, places = images[inside], places[inside]
    order = np.lexsort((images, -ranked.scores[places]))[:most]
    images, numbers = images[order], ranked.lines[places[order]]
    matches: dict[int, list[WrittenMatch]] = {image: [] for image in images.tolist()}
    for one, of_one in found.items():
        has, positions = _positions(numbers, of_one.pictures)
        lines = _read_lines(of_one.lines[positions], connection)
        best = zip(
            images[has].tolist(), of_one.lines[positions].tolist(), of_one.scores[positions].tolist(), strict=True
        )
        for image, line, score in best:
            matches[image].append(WrittenMatch(one, lines[line], score, rarities[one]))
    return matches


def _contents_of(numbers: Numbers, connection: sqlite3.Connection) -> Contents:
    """The contents of pictures by their numbers in the database, ascending, (P,) -> (P,)."""
    statement = "SELECT contents FROM json_each(?) JOIN pictures ON number = value ORDER BY number"
    return np.array(connection.execute(statement, (json.dumps(numbers.tolist()),)).fetchall(), np.int64).reshape(-1)


def _read_lines(lines: Lines, connection: sqlite3.Connection) -> dict[int, WrittenLine]:
    statement = "SELECT lines.* FROM json_each(?) JOIN lines ON line = value"
    return {row[0]: line_of(row) for row in connection.execute(statement, (json.dumps(lines.tolist()),))}


def _positions(wanted: Numbers, ascending: Numbers) -> tuple[Mask, Numbers]:
    """Which of the wanted numbers (N,) are among some ascending ones, and the positions of those there."""
    positions = np.searchsorted(ascending, wanted)
    has = np.append(ascending, -1)[positions] == wanted
    return has, positions[has]


def _terms(words: Sequence[str]) -> list[list[str]]:
    """What may match on its own: each word, and each run of characters of a script that does not separate words."""
    terms: list[list[str]] = []
    for word in words:
        if terms and is_character(word) and is_character(terms[-1][-1]):
            terms[-1].append(word)
        else:
            terms.append([word])
    return terms


def _find_term(term: Sequence[str], connection: sqlite3.Connection) -> FoundLines:
    """The lines that hold a term, and those that hold one like it unless the term itself is very frequent."""
    exact = _look_up({_phrase(term): 1.0}, connection)
    if len(exact.lines) > FREQUENT:
        return exact
    return _merged([exact, _look_up(_variants(term, connection), connection)], np.maximum)


def _variants(term: Sequence[str], connection: sqlite3.Connection) -> dict[str, float]:
    """FTS5 queries for terms like this one, with their scores."""
    length = len("".join(term))
    if length < MIN_LETTERS:
        return {}
    if len(term) > 1:  # characters, of which one may differ
        splits = [(term[:place], term[place + 1 :]) for place in range(length)]
        queries = (" AND ".join(_phrase(part) for part in split if part) for split in splits)
        return dict.fromkeys(queries, 1 - 1 / length)
    (word,) = term
    longer = {_phrase([other]): (1 + length / len(other)) / 2 for other in _longer_words(word, connection)}
    if word.isdigit():  # another number is not a similar one
        return longer
    similar = dict.fromkeys([_phrase([other]) for other in _similar_words(word, connection)], 1 - 1 / length)
    return similar | longer


def _longer_words(word: str, connection: sqlite3.Connection) -> list[str]:
    statement = "SELECT word FROM word_parts WHERE word_parts MATCH ? ORDER BY length(word), word LIMIT ?"
    found = connection.execute(statement, (_phrase([word]), MAX_LONGER_WORDS))
    return [longer for (longer,) in found if longer != word]


def _similar_words(word: str, connection: sqlite3.Connection) -> list[str]:
    """Words one letter apart. They share a half of the word, so two indexes find them, one of reversed words."""
    head, tail = word[: len(word) // 2], word[len(word) // 2 :][::-1]
    statement = (
        "SELECT word FROM words WHERE word BETWEEN ? AND ? AND length(word) BETWEEN ? AND ? UNION "
        "SELECT word FROM words WHERE backwards BETWEEN ? AND ? AND length(word) BETWEEN ? AND ?"
    )
    lengths = (len(word) - 1, len(word) + 1)
    values = (head, head + LAST, *lengths, tail, tail + LAST, *lengths)
    return [other for (other,) in connection.execute(statement, values) if one_letter_apart(word, other)]


def _phrase(words: Sequence[str]) -> str:
    """The FTS5 query for words one after the other. Words hold no quotation marks."""
    return f'"{" ".join(words)}"'


def _look_up(queries: Mapping[str, float], connection: sqlite3.Connection) -> FoundLines:
    """The lines that match any of these FTS5 queries, each with the best score."""
    statement = "SELECT rowid FROM line_words WHERE line_words MATCH ? ORDER BY rowid"
    found = []
    for query, score in queries.items():
        lines = np.array(connection.execute(statement, (query,)).fetchall(), np.int64).reshape(-1)
        found.append(FoundLines(lines, np.full(len(lines), score, np.float32)))
    return _merged(found, np.maximum)


def _merged(found: Sequence[FoundLines], join: np.ufunc) -> FoundLines:
    """All of these lines, the scores of each joined by np.add or np.maximum."""
    if len(found) == 1:
        return found[0]
    lines = np.unique(np.concatenate([np.zeros(0, np.int64), *(part.lines for part in found)]))
    scores = np.zeros(len(lines), np.float32)
    for part in found:
        places = np.searchsorted(lines, part.lines)
        scores[places] = join(scores[places], part.scores)
    return FoundLines(lines, scores)


def _times(weight: float, found: FoundLines) -> FoundLines:
    return FoundLines(found.lines, np.float32(weight) * found.scores)
