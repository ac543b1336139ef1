"""Lines near each other are joined, whatever their order, and others are not."""

import pytest

from index.storage.near_lines import MOST_LINES, near_lines
from retrieval.types import Box, WrittenLine


def line(text: str, x: int, y: int, width: int = 60, height: int = 20) -> WrittenLine:
    return WrittenLine(text, Box(x, y, x + width, y + height), 0.9)


COCA = line("COCA", 100, 100)


@pytest.mark.parametrize(
    ("other", "near"),
    [
        (line("COLA", 110, 125), True),
        (line("COLA", 100, 78), True),
        (line("COLA", 175, 102), True),  # beside it
        (line("COLA", 110, 110), True),  # overlapping
        (line("COLA", 100, 140), True),  # a gap as high as the letters
        (line("COLA", 100, 141), False),
        (line("COLA", 181, 100), False),
        (line("COLA", 170, 100, 20, 200), True),  # upright letters of 20 pixels
        (line("COLA", 100, 145, 90, 40), True),  # larger letters reach further
    ],
)
def test_how_near_two_lines_must_be(other, near):
    joined = near_lines([[COCA], [other]])
    assert (joined is not None) == near
    assert (near_lines([[other], [COCA]]) is not None) == near


def test_the_nearest_of_several_lines_are_joined():
    far, near = line("Cola", 100, 135), line("cola", 100, 122)
    joined = near_lines([[line("Coca", 100, 600), COCA], [far, near]])
    assert joined == WrittenLine("COCA / cola", Box(100, 100, 160, 142), 0.9)


def test_words_may_hang_together_in_another_order():
    cola, zero = line("Cola", 100, 125), line("Zero", 100, 150)
    assert near_lines([[COCA], [zero], [cola]]).text == "COCA / Cola / Zero"
    assert near_lines([[COCA], [zero]]) is None


def test_a_line_may_have_several_words():
    both, zero = line("Coca-Cola", 100, 100), line("Zero", 100, 125)
    assert near_lines([[both], [both], [zero]]).text == "Coca-Cola / Zero"


def test_only_the_first_of_many_lines_are_looked_at():
    many = [line("the", 100, 1000 + 30 * number) for number in range(MOST_LINES)]
    assert near_lines([[COCA], [*many, line("the", 100, 125)]]) is None
