"""The words to look for in a gallery, of the lines that are read in a query crop."""

from collections.abc import Sequence
from itertools import pairwise

from retrieval.text.words import is_character, words_in
from retrieval.types import WrittenLine

MOST_WORDS = 40
"""Words that are looked for, those of the largest lines first."""
CERTAINTY_OF_LENGTH = {1: 0.15, 2: 0.4, 3: 0.7}
"""Weight of short words, which are often misread patterns. Longer words, and pairs of characters, have 1."""
CERTAINTY_OF_CHARACTER = 0.5
"""Weight of a character on its own, in scripts that do not separate words."""


def sought_words(lines: Sequence[WrittenLine]) -> dict[str, float]:
    """Each word with its weight, 0 to 1: the reader's confidence, less for short words. Largest lines first.

    In scripts that do not separate words, each two characters that follow each other are a word.
    """
    sought: dict[str, float] = {}
    for line in sorted(lines, key=lambda line: -min(line.box.width, line.box.height)):
        for word, certainty in _certainties(line.text).items():
            sought[word] = max(sought.get(word, 0.0), certainty * line.confidence)
    return dict(list(sought.items())[:MOST_WORDS])


def _certainties(text: str) -> dict[str, float]:
    words, certainties = words_in(text), {}
    for before, word in pairwise(["", *words]):
        if not is_character(word):
            certainties[word] = CERTAINTY_OF_LENGTH.get(len(word), 1.0)
        elif is_character(before):
            certainties[before + word] = 1.0
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        if is_character(word) and not (is_character(before) or is_character(after)):
            certainties[word] = CERTAINTY_OF_CHARACTER
    return certainties
