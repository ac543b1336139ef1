"""Find the lines of a picture that stand near each other and together hold a text, as on a label of two lines."""

from collections.abc import Sequence

from retrieval.types import Box, WrittenLine

MOST_LINES = 16
"""Lines of a picture that are looked at for each word, the first ones."""
BETWEEN = " / "
"""Stands between the lines in the text of several."""


def near_lines(having: Sequence[Sequence[WrittenLine]]) -> WrittenLine | None:
    """The smallest group of lines near each other that holds a line with each word, as one; None if there is none.

    `having` gives, for each word, the lines with it. A line may have several words.
    """
    firsts, *others = [lines[:MOST_LINES] for lines in having]
    groups = [_grown(first, others) for first in firsts]
    joined = [_joined(group) for group in groups if group]
    return min(joined, key=lambda line: line.box.width * line.box.height, default=None)


def _grown(first: WrittenLine, others: Sequence[Sequence[WrittenLine]]) -> list[WrittenLine]:
    """The first line, and for each of the other words the line next to those before; empty if one is out of reach."""
    group, missing = [first], list(others)
    while missing:
        near = [[line for line in lines if any(_are_near(line.box, one.box) for one in group)] for lines in missing]
        place = next((place for place, lines in enumerate(near) if lines), None)
        if place is None:
            return []
        line = min(near[place], key=lambda line: min(_gap(line.box, one.box) for one in group))
        if line not in group:
            group.append(line)
        del missing[place]
    return group


def _are_near(one: Box, other: Box) -> bool:
    """Whether the gap between two lines is at most the mean height of their letters."""
    letters = min(one.width, one.height) + min(other.width, other.height)
    return 2 * _gap(one, other) <= letters


def _gap(one: Box, other: Box) -> int:
    """Pixels between two boxes, the larger of across and down; 0 if they overlap."""
    across = max(one.x0, other.x0) - min(one.x1, other.x1)
    down = max(one.y0, other.y0) - min(one.y1, other.y1)
    return max(across, down, 0)


def _joined(group: Sequence[WrittenLine]) -> WrittenLine:
    boxes = [line.box for line in group]
    box = Box(
        min(box.x0 for box in boxes),
        min(box.y0 for box in boxes),
        max(box.x1 for box in boxes),
        max(box.y1 for box in boxes),
    )
    return WrittenLine(BETWEEN.join(line.text for line in group), box, min(line.confidence for line in group))
