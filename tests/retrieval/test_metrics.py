"""The measures give what one gets by hand, and by the definitions written out plainly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.metrics import Quality, mean_quality, rate


def test_by_hand():
    assert rate(list("abc"), {"a"}) == Quality(1, 1, 1)
    assert rate(list("xa"), {"a"}) == Quality(0.5, 1, 1)
    assert rate(list("axb"), {"a", "b"}).average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert rate(list("ax"), {"a", "b"}) == Quality(0.5, 0.5, 0.5)  # what is never found adds nothing
    assert rate([], {"a"}) == Quality(0, 0, 0)


def test_ignored_images_neither_help_nor_hurt():
    assert rate(list("iajb"), {"a", "b"}, {"i", "j"}) == Quality(1, 1, 1)
    assert rate([f"i{n}" for n in range(20)] + ["a"], {"a"}, {f"i{n}" for n in range(20)}) == Quality(1, 1, 1)


def test_an_image_counts_once_at_its_first_place():
    assert rate(list("aab"), {"a", "b"}) == Quality(1, 1, 1)
    assert rate(list("xxa"), {"a"}).average_precision == 0.5


def test_precision_at_10_counts_against_what_was_possible():
    relevant = {f"r{n}" for n in range(20)}
    ranking = [*sorted(relevant)[:7], "x", "y", "z", *sorted(relevant)[7:]]
    assert rate(ranking, relevant).precision_at_10 == 0.7
    assert rate(["r0", "r1", "x"], {"r0", "r1", "r2", "r3"}).precision_at_10 == 0.5


def test_recall_stops_at_100():
    fillers = [f"x{n}" for n in range(99)]
    assert rate([*fillers, "a", "b"], {"a", "b"}).recall_at_100 == 0.5


images = st.sampled_from([f"{n:03d}" for n in range(150)])


@given(st.permutations([f"{n:03d}" for n in range(150)]), st.sets(images, min_size=1), st.sets(images))
def test_agrees_with_the_definitions_written_out(ranking, relevant, ignored):
    kept = [image for image in ranking[:130] if image not in ignored]
    ap = sum(
        len(set(kept[: place + 1]) & relevant) / (place + 1) for place, image in enumerate(kept) if image in relevant
    ) / len(relevant)
    p10 = len(set(kept[:10]) & relevant) / min(10, len(relevant))
    r100 = len(set(kept[:100]) & relevant) / len(relevant)
    found = rate(ranking[:130], relevant, ignored)
    assert (found.average_precision, found.precision_at_10, found.recall_at_100) == pytest.approx((ap, p10, r100))


def test_the_mean_over_queries():
    assert mean_quality([Quality(1, 0.5, 0), Quality(0, 1, 0.5)]) == Quality(0.5, 0.75, 0.25)
