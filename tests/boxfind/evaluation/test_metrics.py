"""Metrics agree with hand-computed values, plain definitions and scikit-learn."""

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from boxfind.evaluation.metrics import (
    PROTOCOLS,
    Quality,
    average_precision,
    mean_quality,
    places,
    precision_at,
    rate,
    rate_judged,
    rate_revisited,
    recall_at,
    revisited_precision_at,
    trapezoidal_average_precision,
)
from retrieval.types import Box, iou

PERFECT = Quality(1, 1, 1, 1, 1, 1)
NAMES = [f"{n:03d}" for n in range(150)]
images = st.sampled_from(NAMES)
rankings = st.permutations(NAMES)
some = st.sets(images, min_size=1)
raters = pytest.mark.parametrize("rater", PROTOCOLS.values(), ids=PROTOCOLS)
fully_judged = pytest.mark.parametrize("rater", [rate, rate_revisited])


def test_places():
    assert places(list("xaybz"), {"a", "b", "c"}) == [2, 4]
    assert places(list("xaybz"), {"a", "b"}, {"x", "z"}) == [1, 3]
    assert places(list("aabxb"), {"a", "b"}) == [1, 2]  # an image counts once, at its first position
    assert places(list("ab"), {"a"}, {"a"}) == []
    assert places([], {"a"}) == []


@pytest.mark.parametrize(
    ("at", "total", "rectangular", "trapezoidal"),
    [
        ([1], 1, 1, 1),
        ([2], 1, 1 / 2, (0 + 1 / 2) / 2),
        ([1, 3], 2, (1 + 2 / 3) / 2, (1 + (1 / 2 + 2 / 3) / 2) / 2),
        ([1, 2, 3], 3, 1, 1),
        ([1], 2, 1 / 2, 1 / 2),  # a missed image contributes 0
        ([4, 5], 4, (1 / 4 + 2 / 5) / 4, ((0 + 1 / 4) / 2 + (1 / 4 + 2 / 5) / 2) / 4),
        ([], 3, 0, 0),
    ],
)
def test_average_precision_by_hand(at, total, rectangular, trapezoidal):
    assert average_precision(at, total) == pytest.approx(rectangular)
    assert trapezoidal_average_precision(at, total) == pytest.approx(trapezoidal)


@given(rankings, some)
def test_average_precision_is_that_of_scikit_learn(ranking, relevant):
    truth = [image in relevant for image in ranking]
    theirs = average_precision_score(truth, -np.arange(len(ranking)))
    assert average_precision(places(ranking, relevant), len(relevant)) == pytest.approx(theirs)


@given(rankings, some)
def test_trapezoidal_average_precision_is_the_area_under_the_curve(ranking, relevant):
    truth = np.array([image in relevant for image in ranking])
    precision = np.concatenate([[1], np.cumsum(truth) / np.arange(1, len(truth) + 1)])
    recall = np.concatenate([[0], np.cumsum(truth) / len(relevant)])
    at = places(ranking, relevant)
    found = trapezoidal_average_precision(at, len(relevant))
    assert found == pytest.approx(np.trapezoid(precision, recall))
    assert found <= average_precision(at, len(relevant)) + 1e-12


def test_precision_at_k_counts_against_what_was_possible():
    at = [1, 2, 3, 4, 5, 6, 7, *range(11, 24)]
    assert precision_at(10, at, 20) == 0.7
    assert precision_at(10, [1, 2], 4) == 0.5
    assert [precision_at(k, [1, 3, 6], 3) for k in (1, 5, 10)] == [1, 2 / 3, 1]


def test_precision_at_k_of_revisited_oxford_stops_at_the_last_relevant_image():
    assert [revisited_precision_at(k, [1, 3, 6]) for k in (1, 5, 10)] == [1, 2 / 5, 3 / 6]
    assert revisited_precision_at(10, [1, 2, 50]) == 0.2
    assert revisited_precision_at(10, []) == 0


def test_recall_at_k():
    assert [recall_at(k, [1, 10, 100, 101], 8) for k in (1, 10, 100)] == [1 / 8, 2 / 8, 3 / 8]
    fillers = [f"x{n}" for n in range(99)]
    assert rate([*fillers, "a", "b"], {"a", "b"}).recall_at_100 == 0.5


def test_a_rating_by_hand():
    assert rate(list("abc"), {"a"}) == PERFECT
    assert rate(list("xa"), {"a"}) == Quality(0.5, 0, 1, 1, 1, 1)
    assert rate(list("ax"), {"a", "b"}) == Quality(0.5, 1, 0.5, 0.5, 0.5, 0.5)
    assert rate([], {"a"}) == Quality(0, 0, 0, 0, 0, 0)
    assert rate_revisited(list("abc"), {"a"}) == PERFECT
    assert rate_revisited(list("xa"), {"a"}) == Quality(0.25, 0, 0.5, 0.5, 1, 1)
    assert rate_revisited([], {"a"}) == Quality(0, 0, 0, 0, 0, 0)


@fully_judged
def test_what_is_right_comes_first(rater):
    assert rater(list("iajbxy"), {"a", "b"}, {"i", "j"}) == PERFECT
    assert rater([f"i{n}" for n in range(20)] + ["a"], {"a"}, {f"i{n}" for n in range(20)}) == PERFECT


@given(rankings, some, st.sets(images))
def test_agrees_with_the_definitions_written_out(ranking, relevant, ignored):
    kept = [image for image in ranking[:130] if image not in ignored]
    ap = sum(
        len(set(kept[: place + 1]) & relevant) / (place + 1) for place, image in enumerate(kept) if image in relevant
    ) / len(relevant)
    precisions = [len(set(kept[:k]) & relevant) / min(k, len(relevant)) for k in (1, 5, 10)]
    recalls = [len(set(kept[:k]) & relevant) / len(relevant) for k in (10, 100)]
    assert astuple(rate(ranking[:130], relevant, ignored)) == pytest.approx((ap, *precisions, *recalls))


@raters
@given(ranking=rankings, relevant=some)
def test_every_metric_is_between_0_and_1(rater, ranking, relevant):
    assert all(0 <= value <= 1 + 1e-12 for value in astuple(rater(ranking, relevant, ())))


@fully_judged
@given(ranking=rankings, relevant=some)
def test_the_best_ranking_is_perfect(rater, ranking, relevant):
    best = sorted(ranking, key=lambda image: image not in relevant)
    recalls = [min(k, len(relevant)) / len(relevant) for k in (10, 100)]
    assert astuple(rater(best, relevant, ())) == pytest.approx((1, 1, 1, 1, *recalls))


def test_precision_of_judged_results_is_the_share_that_is_right():
    assert rate_judged(list("axbyz"), {"a", "b"}) == Quality((1 + 2 / 3) / 2, 1, 2 / 5, 2 / 5, 1, 1)
    assert rate_judged(list("ab"), {"a", "b"}) == PERFECT
    assert rate_judged(list("ax"), {"a", "gone"}) == Quality(0.5, 1, 0.5, 0.5, 0.5, 0.5)
    assert rate_judged([], {"a"}) == Quality(0, 0, 0, 0, 0, 0)


@raters
@given(ranking=rankings, relevant=some, places=st.lists(st.integers(0, 150)))
def test_ignored_images_change_nothing_at_any_rank(rater, ranking, relevant, places):
    longer = list(ranking)
    for number, place in enumerate(places):
        longer.insert(place, f"ignored{number}")
    ignored = {f"ignored{number}" for number in range(len(places))}
    assert rater(longer, relevant, ignored) == rater(ranking, relevant, ())


@given(rankings, some, st.integers(1, 149))
def test_a_relevant_image_moved_up_never_hurts(ranking, relevant, place):
    better = list(ranking)
    if better[place] in relevant:
        better[place - 1], better[place] = better[place], better[place - 1]
    before, after = np.array(astuple(rate(ranking, relevant))), np.array(astuple(rate(better, relevant)))
    assert np.all(after >= before - 1e-12)


def test_the_mean_over_queries():
    one, other = Quality(1, 0.5, 0, 0.25, 1, 0), Quality(0, 1, 0.5, 0.75, 1, 0)
    assert mean_quality([one, other]) == Quality(0.5, 0.75, 0.25, 0.5, 1, 0)


def test_intersection_over_union_by_hand():
    box = Box(10, 10, 20, 30)
    assert iou(box, box) == 1
    assert iou(box, Box(10, 20, 20, 40)) == 100 / 300
    assert iou(box, Box(10, 10, 15, 30)) == 0.5
    assert iou(box, Box(20, 10, 30, 30)) == 0  # ends are exclusive
    assert iou(box, Box(50, 60, 70, 80)) == 0  # apart on both axes


boxes = st.builds(Box.from_xywh, *[st.integers(-20, 20)] * 2, *[st.integers(1, 20)] * 2)


@given(boxes, boxes)
def test_intersection_over_union_counts_pixels(one, other):
    def pixels(box: Box) -> set[tuple[int, int]]:
        return {(x, y) for x in range(box.x0, box.x1) for y in range(box.y0, box.y1)}

    both, either = pixels(one) & pixels(other), pixels(one) | pixels(other)
    assert iou(one, other) == iou(other, one) == pytest.approx(len(both) / len(either))
