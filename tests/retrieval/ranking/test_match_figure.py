"""The match figure never rises down a list, grows with the evidence, and is highest for copies of the query."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.ranking.confidence import IDENTICAL, LIKELY, NEARLY_IDENTICAL, POSSIBLE
from retrieval.ranking.match_figure import (
    JUDGED,
    Weights,
    answer_evidence,
    hit_evidence,
    match_figures,
    non_increasing,
    rarity,
)
from retrieval.ranking.match_weights import WEIGHTS
from retrieval.ranking.matching import Match
from retrieval.ranking.verification import Evidence

PLAIN = Weights({"constant": 0.0, "rarity": 1.0}, {"constant": 0.0, "hit": 1.0})
rarities = st.lists(st.floats(-3, 3.5), min_size=1, max_size=130)


def match(inliers: int, cover: float = 0.5, likeness: float | None = 3.0) -> Match:
    return Match(Evidence(inliers, None, cover), 0, likeness)


def figures(evidence, similarities=None, ranking="best") -> list[int]:
    return match_figures(evidence, similarities or [0.5] * len(evidence), WEIGHTS[ranking])


def evidence(similarity: float, expected: float, match: Match | None = None, **parts: float) -> dict[str, float]:
    return hit_evidence(similarity, expected, {"expansion": similarity, "diffusion": 0.9} | parts, match)


@given(st.lists(st.floats(-6, 6), max_size=30))
def test_the_nearest_non_increasing_sequence(values):
    fitted = non_increasing(np.array(values))
    assert len(fitted) == len(values) and (np.diff(fitted) <= 1e-12).all()
    assert fitted.sum() == pytest.approx(sum(values), abs=1e-9)
    assert non_increasing(fitted) == pytest.approx(fitted)


def test_neighbours_in_the_wrong_order_share_their_mean():
    assert non_increasing(np.array([5.0, 1, 2, 3, -1, 0])).tolist() == [5, 2, 2, 2, -0.5, -0.5]


@pytest.mark.parametrize("ranking", WEIGHTS)
@given(values=rarities)
def test_figures_never_rise_and_a_longer_list_changes_none(ranking, values):
    listed = [{"rarity": value} for value in values]
    found = figures(listed, ranking=ranking)
    assert found == sorted(found, reverse=True) and all(0 <= figure <= 99 for figure in found)
    shorter = max(len(values) - 7, JUDGED)  # what is judged together
    assert figures(listed[:shorter], ranking=ranking) == found[:shorter]


def test_more_evidence_gives_a_higher_figure():
    """What verification found takes the place of the rarity of a similarity."""
    alone = [evidence(0.5, 1.0), evidence(0.6, 0.1), evidence(0.7, 1e-2)]
    found = [
        evidence(0.5, 1.0, match(8, 0.1, -4.0)),
        evidence(0.5, 1.0, match(8, 0.1, 3.0)),
        evidence(0.7, 1.0, match(60, 0.6, 7.0)),
        evidence(0.7, 1.0, match(60, 0.6, 7.0), text=1.5),
    ]
    for steps in (alone, found):
        first = [figures([step] * 5 + [evidence(0.4, 30)] * 5)[0] for step in steps]
        assert first == sorted(first) and len(set(first)) == len(first), first
        assert first[0] < 50
    assert first[-1] >= LIKELY


def test_what_is_aligned_and_differs_counts_less():
    """Another variety of a product has as many inliers."""
    same, other = (evidence(0.6, 0.3, match(20, 0.4, likeness)) for likeness in (3.0, -3.0))
    assert figures([other] + [evidence(0.4, 30)] * 5)[0] < figures([same] + [evidence(0.4, 30)] * 5)[0]


def test_sisters_in_the_answer_lower_every_figure():
    """Aligned pictures whose descriptors differ are products of the same brand."""
    true, sister = evidence(0.6, 1.0, match(20, 0.4, 3.0)), evidence(0.3, 40, match(20, 0.4, 0.0))
    other = {name: value for name, value in sister.items() if name != "verified"}
    assert figures([true] + [sister] * 20)[0] < figures([true] + [other] * 20)[0]


def test_words_that_agree_count_once_they_have_a_weight():
    weights = Weights({"constant": 0.0, "rarity": 1.0, "text": 2.0}, PLAIN.answer)
    plain, written = evidence(0.5, 1.0), evidence(0.5, 1.0, text=0.8)
    found = [match_figures([each], [0.5], weights)[0] for each in (plain, written)]
    assert found == [50, 83]


def test_a_copy_has_the_highest_figure():
    copy, other = evidence(1.0, 40), evidence(0.9, 1e-9, match(100, 1.0, 8.0))
    for ranking in WEIGHTS:
        assert figures([copy, other], [1.0, 0.9], ranking)[0] == 100
        assert figures([other, copy], [0.9, 1.0], ranking)[1] <= 99  # order comes first


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(1e-9, 1e5))
def test_rarity_grows_with_the_similarity(a, b, expected):
    low, high = sorted((a, b))
    assert rarity(low, expected) <= rarity(high, expected)
    assert rarity(0.5, expected) >= rarity(0.5, 2 * expected)


def test_r73_what_is_identical_is_never_unlikely():
    """A gallery full of copies has seen all similarities."""
    assert rarity(IDENTICAL, 1e4) == rarity(1.0, 1e4) == rarity(0.5, 1e-9)
    assert rarity(NEARLY_IDENTICAL, 1e4) > 0 > rarity(0.97, 1e4)
    copies = [evidence(similarity, 1e4) for similarity in (1.0, IDENTICAL, NEARLY_IDENTICAL)]
    for ranking in WEIGHTS:
        same, also, altered = figures(copies, [1.0, IDENTICAL, NEARLY_IDENTICAL], ranking)
        assert same == also == 100 and altered >= POSSIBLE


def test_hits_beyond_the_judged_ones_lower_nothing_before_them():
    values = [{"rarity": 1.0}] * JUDGED + [{"rarity": 3.0}, {"rarity": -1.0}, {"rarity": 3.0}]
    assert answer_evidence(values, PLAIN)["hit"].tolist() == [1.0] * (JUDGED + 1) + [-1.0] * 2


def test_no_hits_have_no_figures():
    assert match_figures([], [], WEIGHTS["fast"]) == []


@pytest.mark.parametrize("weights", WEIGHTS.values())
def test_no_evidence_counts_against_a_hit(weights):
    for table in (weights.hit, weights.answer):
        assert all(weight >= 0 for name, weight in table.items() if name != "constant")
