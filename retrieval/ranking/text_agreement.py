"""Text agreement: words that are written both in the query crop and in an image."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from retrieval.ranking.region_search import Searchable
from retrieval.types import Box, WrittenLine, WrittenMatch

WEIGHT = 1.5
"""Score for full evidence."""
FULL = 5.0
"""Evidence from which on the score is full. A query's only word has it if it is in one of 150 images."""
CERTAIN = 4.0
"""Evidence from which on an image expands the query. A query's only word has it if it is in one of 55 images."""
EXPANSION_IMAGES = 20
"""Maximum images that expand the query for their text."""
SHOWN = 1.0
"""Lines with less evidence are not shown."""
MOST = 1000
"""Images that are found by what is written in them."""
MATCHES = 10
"""Verified images that are asked for the words they share."""
SHARED_BY, SHARE = 2, 0.3
"""Verified images that must have a word, at least, and which share of them."""


@dataclass(frozen=True, slots=True)
class TextMatch:
    """The words that an image shares with the query crop."""

    evidence: float
    """Sum over the words of the logarithm of their rarity, less for words that are short, misspelt or uncertain.

    It is divided by the square root of the number of the query's words that the gallery has: of many words, some are
    found by chance.
    """
    lines: tuple[WrittenLine, ...]
    """The lines of the image that hold the words, most evidence first, without those that hardly count."""


def find_text(sought: Mapping[str, float], gallery: Searchable) -> dict[int, TextMatch]:
    """The images in which sought words are written. `sought` gives the weight of each word, 0 to 1."""
    found = gallery.find_written(list(sought), MOST) if sought else {}
    chances = math.sqrt(len({match.sought for matches in found.values() for match in matches}))
    return {image: _text_match(sought, matches, chances) for image, matches in found.items()}


def _text_match(sought: Mapping[str, float], matches: Sequence[WrittenMatch], chances: float) -> TextMatch:
    of_lines: dict[WrittenLine, float] = {}
    for match in matches:
        evidence = sought[match.sought] * match.score * match.line.confidence * match.rarity
        of_lines[match.line] = of_lines.get(match.line, 0.0) + evidence
    lines = sorted((line for line in of_lines if of_lines[line] >= SHOWN), key=lambda line: -of_lines[line])
    return TextMatch(sum(of_lines.values()) / chances, tuple(lines))


def lines_inside(lines: Sequence[WrittenLine], box: Box) -> list[WrittenLine]:
    """The lines whose centres are in the box."""
    return [
        line
        for line in lines
        if box.x0 <= (line.box.x0 + line.box.x1) / 2 < box.x1 and box.y0 <= (line.box.y0 + line.box.y1) / 2 < box.y1
    ]


def shared_words(sought: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The words that several of these images have, with their mean weights over all of them."""
    enough = max(SHARED_BY, SHARE * len(sought))
    words = dict.fromkeys(word for one in sought for word in one)
    having = {word: [one[word] for one in sought if word in one] for word in words}
    return {word: sum(weights) / len(sought) for word, weights in having.items() if len(weights) >= enough}


def joined_texts(one: Mapping[int, TextMatch], other: Mapping[int, TextMatch]) -> dict[int, TextMatch]:
    """For each image, the match with more evidence."""
    joined = dict(one)
    for image, match in other.items():
        if image not in joined or match.evidence > joined[image].evidence:
            joined[image] = match
    return joined


def certain_images(texts: Mapping[int, TextMatch]) -> list[int]:
    """The images that expand the query, most evidence first."""
    certain = [image for image, match in texts.items() if match.evidence >= CERTAIN]
    return sorted(certain, key=lambda image: (-texts[image].evidence, image))[:EXPANSION_IMAGES]


def text_scores(texts: Mapping[int, TextMatch]) -> dict[int, float]:
    """The score part of each image."""
    return {image: WEIGHT * min(match.evidence / FULL, 1) for image, match in texts.items()}
