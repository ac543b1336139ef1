"""Hardest queries and weakest objects come first; the half of the objects is deterministic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxfind.evaluation.evaluate import Evaluation, Row
from boxfind.evaluation.metrics import Quality
from boxfind.evaluation.summary import ObjectQuality, by_object, half, hardest


def row(query: str, of: str, **shares: float) -> Row:
    return Row(query, of, {labels: Quality(share, 0, 0, 0, 0, 0) for labels, share in shares.items()}, None, 0.1)


FOUND = Evaluation(
    "made up",
    "rectangular",
    ("easy", "hard"),
    "hard",
    [
        row("a", "mug", easy=0.1, hard=0.5),
        row("b", "mug", hard=0.3),
        row("c", "cup", easy=0.9, hard=0.2),
        row("d", "hat", easy=0.0),
        row("f", "pot", hard=0.9),
        row("e", "jug", hard=0.2),
    ],
    0,
)


def test_objects():
    assert by_object(FOUND) == [
        ObjectQuality("cup", 1, 0.2),
        ObjectQuality("jug", 1, 0.2),
        ObjectQuality("mug", 2, pytest.approx(0.4)),
        ObjectQuality("pot", 1, 0.9),
    ]


def test_queries():
    assert [row.query for row in hardest(FOUND)] == ["c", "e", "b", "a", "f"]
    assert [row.query for row in hardest(FOUND, 2)] == ["c", "e"]


def test_the_half_does_not_change():
    """Tuning on one half and reporting the other is only valid if the halves are disjoint."""
    assert half("abcdefgh") == {"b", "c", "e", "f"}


@given(st.sets(st.text()), st.integers(0, 5))
def test_a_half(objects, seed):
    found = half(objects, seed)
    assert found <= objects and len(found) == len(objects) // 2
    assert found == half([*sorted(objects, reverse=True), *objects], seed)


def test_another_seed_is_another_half():
    assert len({frozenset(half(map(str, range(20)), seed)) for seed in range(10)}) == 10
