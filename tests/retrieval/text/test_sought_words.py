"""Words to look for: every script, largest lines first, short words with less weight."""

import pytest

from retrieval.text.sought_words import MOST_WORDS, sought_words
from retrieval.types import Box, WrittenLine


def line(text: str, height: int = 20, confidence: float = 1.0) -> WrittenLine:
    return WrittenLine(text, Box(0, 0, 200, height), confidence)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Coca-Cola", ["coca", "cola"]),
        ("CAFÉ café", ["cafe"]),
        ("百事可乐", ["百事", "事可", "可乐"]),
        ("康师傅 ICE 茶", ["康师", "师傅", "ice", "茶"]),
        ("Кофе", ["кофе"]),
        ("* — *", []),
    ],
)
def test_words_and_pairs_of_characters_are_sought(text, words):
    assert sorted(sought_words([line(text)])) == sorted(words)


def test_short_and_uncertain_words_weigh_less():
    weights = sought_words([line("a of the rare 茶"), line("doubtful", confidence=0.6)])
    assert 0 < weights["a"] < weights["of"] < weights["the"] < weights["rare"] == 1
    assert weights["茶"] == 0.5 and weights["doubtful"] == 0.6


def test_a_word_read_twice_has_the_higher_weight():
    assert sought_words([line("rare", confidence=0.6), line("rare", confidence=0.9)]) == {"rare": 0.9}


def test_the_largest_lines_come_first_and_the_number_of_words_is_limited():
    small = line(" ".join(f"word{number}" for number in range(2 * MOST_WORDS)), 10)
    sought = list(sought_words([small, line("brand", 80)]))
    assert sought[0] == "brand" and len(sought) == MOST_WORDS
