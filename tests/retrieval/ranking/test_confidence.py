"""The background tells how often images without the object reach a similarity; words stand for match figures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy.stats import gumbel_r, norm

from retrieval.ranking.confidence import (
    CAUTIOUS,
    ENOUGH_IMAGES,
    LIKELY,
    MEANINGS,
    POSSIBLE,
    VERIFIED,
    BackgroundScores,
    confidence_of,
    figure_and_word,
    fit_background_scores,
    meaning,
    no_match,
)
from retrieval.types import Box, Hit, Region, unit

RARE = 0.05
"""Expected images without the object for a similarity that is rare."""
DIMENSIONS, REGIONS = 64, 20
similarities = st.floats(-1, 1)


def unrelated(images: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unrelated images: the score of the best of 20 regions is the maximum of 20 normal variables."""
    vectors = unit(np.random.default_rng(seed).normal(size=(images * REGIONS, DIMENSIONS)))
    vectors.setflags(write=False)
    return vectors, np.repeat(np.arange(images), REGIONS)


def best_elsewhere(vectors: np.ndarray, images: np.ndarray) -> np.ndarray:
    best = (vectors @ vectors.T).reshape(len(vectors), -1, REGIONS).max(axis=2)
    return best[images[:, None] != np.arange(images.max() + 1)]


@given(similarities, st.floats(0, 0.8), st.floats(0.02, 0.2), st.integers(1, 10**6))
def test_expected_is_the_tail_of_the_gumbel_distribution(similarity, location, scale, images):
    expected = images * gumbel_r.sf(similarity, location, scale)
    assert BackgroundScores(location, scale).expected(similarity, images) == pytest.approx(
        expected, rel=1e-6, abs=1e-12
    )


@given(similarities, similarities, st.floats(0, 0.8), st.floats(0.02, 0.2), st.integers(1, 10**6), st.integers(1, 100))
def test_expected_falls_with_similarity_and_grows_with_the_gallery(a, b, location, scale, images, times):
    background = BackgroundScores(location, scale)
    low, high = sorted((a, b))
    assert background.expected(high, images) <= background.expected(low, images) <= images
    assert background.expected(low, times * images) >= background.expected(low, images)


@pytest.mark.parametrize("location", [0, 1])
def test_similarity_far_outside_a_narrow_distribution(location):
    background = BackgroundScores(location, 1e-3)  # as for a gallery of one flat colour
    assert background.expected(-1, 5) == pytest.approx(5)


def test_fit_agrees_with_both_quantiles():
    vectors, images = unrelated(20)  # 400 regions: all are queries
    background, best = fit_background_scores(vectors, images), best_elsewhere(vectors, images)
    assert background.expected(np.quantile(best, 0.5), 1) == pytest.approx(0.5, abs=0.05)
    assert background.expected(np.quantile(best, 0.9), 1) == pytest.approx(0.1, abs=0.05)


def test_fit_recovers_the_true_distribution():
    vectors, images = unrelated(300)
    background = fit_background_scores(vectors, images)
    expected = norm.isf(1 / REGIONS) / np.sqrt(DIMENSIONS)  # location of the maximum of 20
    assert background.location == pytest.approx(expected, abs=0.015)
    assert background.scale == pytest.approx(0.45 / np.sqrt(DIMENSIONS), rel=0.2)
    best = best_elsewhere(vectors, images)
    assert 0.001 < background.expected(np.quantile(best, 0.99), 1) < 0.03  # the tail is not heavier than predicted


def test_fit_ignores_true_matches():
    vectors, images = unrelated(200)
    alone = fit_background_scores(vectors, images)
    with_matches = vectors.copy()
    for image in range(0, 200, 4):  # groups of four pictures show one thing: 1.5 % of all pairs match
        with_matches[images == image + 1] = vectors[images == image]
        with_matches[images == image + 2] = vectors[images == image]
        with_matches[images == image + 3] = vectors[images == image]
    fitted = fit_background_scores(with_matches, images)
    assert fitted.location == pytest.approx(alone.location, abs=0.3 * alone.scale)
    assert fitted.scale == pytest.approx(alone.scale, rel=0.2)
    assert fitted.expected(1, 200) < RARE


def test_fit_is_deterministic_and_stable_under_sampling():
    vectors, images = unrelated(1200)
    background = fit_background_scores(vectors, images)
    assert fit_background_scores(vectors, images) == background
    assert fit_background_scores(vectors, images, seed=1).location == pytest.approx(
        background.location, abs=0.1 * background.scale
    )


@pytest.mark.parametrize("images", [0, 1, 2])
def test_small_gallery_gets_the_cautious_distribution(images):
    vectors, of_row = unrelated(images)
    assert fit_background_scores(vectors, of_row) == CAUTIOUS
    assert CAUTIOUS.expected(1, 2) < RARE and CAUTIOUS.expected(0.6, 2) > 1


def with_copies(images: int, copies: int, noise: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    """Unrelated images, the first of which are slightly altered copies of one."""
    vectors, of_row = unrelated(images)
    altered = vectors[:REGIONS] + noise * np.random.default_rng(1).normal(size=(copies, REGIONS, DIMENSIONS))
    return np.concatenate([unit(altered.reshape(-1, DIMENSIONS)), vectors[copies * REGIONS :]]), of_row


@pytest.mark.parametrize(("images", "copies"), [(32, 12), (40, 30), (400, 300)])
def test_r73_copies_do_not_count_as_images_without_the_object(images, copies):
    vectors, of_row = with_copies(images, copies)
    background, alone = fit_background_scores(vectors, of_row), fit_background_scores(*unrelated(images))
    assert background.certain
    assert background.location == pytest.approx(alone.location, abs=0.5 * alone.scale)
    assert background.scale == pytest.approx(alone.scale, rel=0.3)
    between_copies = (vectors[:REGIONS] @ vectors[REGIONS : 2 * REGIONS].T).max(axis=1)
    assert max(background.expected(float(similarity), images) for similarity in between_copies) < RARE


def test_r73_a_third_of_the_images_may_show_the_same_object():
    vectors, of_row = unrelated(30)
    with_matches = vectors.copy()
    for image in range(10):  # one region each of ten images shows the object, which is not their largest region
        with_matches[image * REGIONS + 5] = unit(vectors[5] + 0.05 * vectors[image * REGIONS + 6])
        with_matches[image * REGIONS + 7 : image * REGIONS + 20] = with_matches[image * REGIONS + 5]
    alone, fitted = fit_background_scores(vectors, of_row), fit_background_scores(with_matches, of_row)
    assert fitted.expected(0.6, 30) < RARE and alone.expected(0.6, 30) < RARE


def test_r73_copies_do_not_count_without_whitening():
    vectors, of_row = with_copies(32, 12)
    shifted = unit(vectors + 1.5 * np.eye(DIMENSIONS)[0])  # unrelated images have similarity 0.7
    background = fit_background_scores(shifted, of_row)
    assert background.certain and background.expected(0.95, 32) < RARE
    assert background.expected(0.75, 32) > 0.5


@pytest.mark.parametrize("copies", [0, 20])
def test_r73_few_different_images_give_an_uncertain_figure(copies):
    few, enough = (with_copies(count + copies, copies + 1) for count in (ENOUGH_IMAGES - 1, ENOUGH_IMAGES))
    assert not fit_background_scores(*few).certain
    assert fit_background_scores(*enough).certain


def test_r73_an_index_of_an_earlier_version_keeps_its_fit():
    stored = TypeAdapter(BackgroundScores).validate_python({"location": 0.3, "scale": 0.5})
    assert stored == BackgroundScores(0.3, 0.5) and stored.certain


def test_fit_of_identical_images_is_uncertain():
    background = fit_background_scores(np.tile(np.eye(4, dtype=np.float32)[:1], (60, 1)), np.repeat(np.arange(3), 20))
    assert background == CAUTIOUS


def test_words_are_cuts_of_the_figure():
    words = [confidence_of(figure, certain=True) for figure in range(101)]
    assert words == ["unlikely"] * POSSIBLE + ["possible"] * (LIKELY - POSSIBLE) + ["likely"] * (101 - LIKELY)
    assert confidence_of(0, certain=False) == "uncertain" and confidence_of(LIKELY, certain=False) == "likely"


def hit(confidence: str, kind: str = "whole", **more) -> Hit:
    return Hit("a.jpg", Region(Box(0, 0, 9, 9), kind), 0.5, 0.5, confidence, **more)


def test_a_figure_is_explained_in_one_sentence():
    assert meaning(hit("likely", match=97)) == "Match 97: of hits shown like this, about 97 in 100 are right."
    assert meaning(hit("likely", match=100)) == "Match 100: the same picture as the query."
    assert meaning(hit("likely", "verified", match=97)).endswith("in 100 are right. " + VERIFIED)
    assert meaning(hit("uncertain", match=12)).endswith("in 100 are right. " + MEANINGS["uncertain"])
    assert meaning(hit("possible")) == MEANINGS["possible"]  # words have ranked it
    assert (figure_and_word(hit("likely", match=97)), figure_and_word(hit("likely"))) == ("97 likely", "likely")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], True),
        (["unlikely", "unlikely"], True),
        (["uncertain", "uncertain"], True),
        (["uncertain", "likely"], False),
        (["unlikely", "possible"], False),
        (["likely", "unlikely"], False),
    ],
)
def test_r73_unlikely_and_uncertain_are_no_match(words, expected):
    assert no_match(map(hit, words)) is expected
