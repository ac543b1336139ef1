"""Find pictures by what is written in them: word for word, over lines that are near each other, and similar words."""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from index.storage.near_lines import near_lines
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
APART = 0.97
"""Score of words that are in the line, but not one after the other."""
SPLIT = 0.96
"""Score of words that are in lines near each other. One wrong letter among fewer than 100 scores less."""
MOST_SPLIT = 200
"""Pictures with all words in different lines that are looked at, the first ones."""
MIN_SCORE = 0.7
"""Lines that score less are no match."""
LAST = "\U0010ffff"
"""Sorts after all other characters."""

Lines = NDArray[np.int64]
"""Numbers of lines in the database."""
Term = tuple[str, ...]
"""What may match on its own: a word, or a run of characters of a script that does not separate words."""


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

    def at_least(self, score: float) -> "FoundLines":
        """The lines with this score or more."""
        enough = self.scores >= np.float32(score)
        return FoundLines(self.lines[enough], self.scores[enough])


FindTerm = Callable[[Term], FoundLines]
"""Find the lines that hold a term, or one like it."""


@dataclass(frozen=True, slots=True)
class FoundText:
    """The best line of each picture with a sought text. Where several lines hold it, `joined` has them as one."""

    best: FoundLines
    joined: Mapping[int, WrittenLine]
    """By the number of the first of the lines."""


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


def find_text(sought: str, find_term: FindTerm, connection: sqlite3.Connection) -> FoundText:
    """The pictures that hold a text, or one like it. Raises sqlite3.DatabaseError.

    The score of a line is the mean of the words', weighted by their letters.
    """
    words = words_in(sought)
    terms = _terms(words)
    each = [find_term(term) for term in terms]
    if len(terms) < 2:
        return FoundText(_merged(each, np.maximum).at_least(MIN_SCORE).best_of_pictures(), {})
    letters = len("".join(words))
    weights = [APART * len("".join(term)) / letters for term in terms]
    apart = _merged([_times(weight, found) for weight, found in zip(weights, each, strict=True)], np.add)
    together = _look_up({_phrase(words): 1.0, _phrase(["".join(words)]): 1.0}, connection)
    found = _merged([apart, together], np.maximum).at_least(MIN_SCORE)
    joined = _joined_lines([found.at_least(1) for found in each], found.at_least(SPLIT).pictures, connection)
    numbers = np.array(sorted(joined), np.int64)
    split = FoundLines(numbers, np.full(len(numbers), SPLIT, np.float32))
    return FoundText(_merged([found, split], np.maximum).best_of_pictures(), joined)


def _joined_lines(
    each: Sequence[FoundLines], without: Numbers, connection: sqlite3.Connection
) -> dict[int, WrittenLine]:
    """The lines near each other that together hold all terms, as one for each picture, by the first line's number.

    `each` gives the lines with each term, and `without` the pictures that are left out, which have it in one line.
    """
    pictures = _different(each[0].pictures)
    for found in each[1:]:
        pictures = pictures[_positions(pictures, found.pictures)[0]]
    pictures = pictures[~_positions(pictures, without)[0]][:MOST_SPLIT]
    of_terms = [found.lines[_positions(found.pictures, pictures)[0]] for found in each]
    written = _read_lines(_different(*of_terms), connection)
    joined = {}
    for picture in pictures.tolist():
        numbers = [lines[(lines >> LINE_BITS) == picture].tolist() for lines in of_terms]
        near = near_lines([[written[number] for number in some] for some in numbers])
        if near:
            joined[min(map(min, numbers))] = near
    return joined


def _find_written(
    sought: Sequence[str],
    connection: sqlite3.Connection,
    pictures: PictureContents,
    searched: Callable[[Numbers], Mask],
    most: int,
) -> dict[int, list[WrittenMatch]]:
    connection.execute("BEGIN")  # one state of the database for all queries
    read = connection.execute("SELECT count(*) FROM pictures").fetchone()[0]
    find_term = cache(partial(_find_term, connection=connection))
    found = {one: find_text(one, find_term, connection) for one in sought}
    rarities = {one: float(np.log1p(read / max(len(of_one.best.lines), 1))) for one, of_one in found.items()}
    weighted = [FoundLines(of_one.best.pictures, rarities[one] * of_one.best.scores) for one, of_one in found.items()]
    images, numbers = _first_images(_merged(weighted, np.add), connection, pictures, searched, most)
    places = {one: _positions(numbers, of_one.best.pictures) for one, of_one in found.items()}
    lines = {one: found[one].best.lines[positions] for one, (_, positions) in places.items()}
    written = _read_lines(_different(*lines.values()), connection)
    matches: dict[int, list[WrittenMatch]] = {image: [] for image in images.tolist()}
    for one, (has, positions) in places.items():
        joined, scores = found[one].joined, found[one].best.scores[positions]
        for image, line, score in zip(images[has].tolist(), lines[one].tolist(), scores.tolist(), strict=True):
            matches[image].append(WrittenMatch(one, joined.get(line) or written[line], score, rarities[one]))
    return matches


def _first_images(
    ranked: FoundLines,
    connection: sqlite3.Connection,
    pictures: PictureContents,
    searched: Callable[[Numbers], Mask],
    most: int,
) -> tuple[Numbers, Numbers]:
    """The `most` best searched images, best first, and the numbers of their pictures in the database, two (M,).

    `ranked` has pictures instead of lines. Only as many of them are looked up as are needed.
    """
    order = np.argsort(-ranked.scores, kind="stable")
    images, numbers, scores = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    start, end = 0, most
    while start < len(order) and len(images) < most:
        some = np.sort(order[start:end])
        found, places = pictures.places(_contents_of(ranked.lines[some], connection))
        inside = searched(found)
        places = some[places[inside]]
        images = np.concatenate([images, found[inside]])
        numbers = np.concatenate([numbers, ranked.lines[places]])
        scores = np.concatenate([scores, ranked.scores[places]])
        start, end = end, 4 * end
    best = np.lexsort((images, -scores))[:most]
    return images[best], numbers[best]


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


def _terms(words: Sequence[str]) -> list[Term]:
    terms: list[Term] = []
    for word in words:
        if terms and is_character(word) and is_character(terms[-1][-1]):
            terms[-1] = (*terms[-1], word)
        else:
            terms.append((word,))
    return terms


def _find_term(term: Term, connection: sqlite3.Connection) -> FoundLines:
    """The lines that hold a term, and those that hold one like it unless the term itself is very frequent."""
    exact = _look_up({_phrase(term): 1.0}, connection)
    if len(exact.lines) > FREQUENT:
        return exact
    return _merged([exact, _look_up(_variants(term, connection), connection)], np.maximum)


def _variants(term: Term, connection: sqlite3.Connection) -> dict[str, float]:
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
    found = []
    for score in dict.fromkeys(queries.values()):
        lines = _matching_lines(" OR ".join(f"({query})" for query in queries if queries[query] == score), connection)
        found.append(FoundLines(lines, np.full(len(lines), score, np.float32)))
    return _merged(found, np.maximum)


def _matching_lines(query: str, connection: sqlite3.Connection) -> Lines:
    """The lines that match an FTS5 query. They come as one text, which takes a third of the time of a row for each."""
    statement = "SELECT group_concat(rowid) FROM line_words WHERE line_words MATCH ?"
    numbers = connection.execute(statement, (query,)).fetchone()[0]
    return _different(np.fromstring(numbers, np.int64, sep=",")) if numbers else np.zeros(0, np.int64)


def _merged(found: Sequence[FoundLines], join: np.ufunc) -> FoundLines:
    """All of these lines, the scores of each joined by np.add or np.maximum."""
    if len(found) == 1:
        return found[0]
    lines = _different(*(part.lines for part in found))
    scores = np.zeros(len(lines), np.float32)
    for part in found:
        places = np.searchsorted(lines, part.lines)
        scores[places] = join(scores[places], part.scores)
    return FoundLines(lines, scores)


def _different(*ascending: Numbers) -> Numbers:
    """The different ones of these numbers, ascending. Merging ascending ones takes linear time."""
    numbers = np.sort(np.concatenate([np.zeros(0, np.int64), *ascending]), kind="stable")
    return numbers[np.flatnonzero(np.diff(numbers, prepend=-1))]


def _times(weight: float, found: FoundLines) -> FoundLines:
    return FoundLines(found.lines, np.float32(weight) * found.scores)
