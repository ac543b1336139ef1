"""Top matches pull the query towards themselves, weighted by similarity."""

import numpy as np
import pytest

from retrieval.ranking import expansion
from retrieval.ranking.expansion import ALPHA, ROUNDS, expand, expand_with
from retrieval.types import unit

QUERY = np.array([1, 0, 0], np.float32)


def at(similarity: float, axis: int = 1) -> np.ndarray:
    """A unit vector with this cosine to the query and the remainder along one other axis."""
    vector = np.zeros(3, np.float32)
    vector[0], vector[axis] = similarity, np.sqrt(1 - similarity**2)
    return vector


def test_first_round_on_an_example(numpy_gallery, monkeypatch):
    monkeypatch.setattr(expansion, "ROUNDS", 1)
    gallery = numpy_gallery(np.stack([at(0.8, 1), at(0.5, 2), at(0.1, 1)]), np.arange(3))
    expected = QUERY + 0.8**3 * at(0.8, 1) + 0.5**3 * at(0.5, 2) + 0.1**3 * at(0.1, 1)
    assert expand(QUERY, gallery) == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)


def test_second_round_searches_with_the_first_result(numpy_gallery):
    vectors = np.stack([at(0.9, 1), at(0.4, 1), at(0.3, 2)])
    gallery = numpy_gallery(vectors, np.arange(3))
    expected = QUERY
    for _ in range(ROUNDS):
        expected = unit(QUERY + np.clip(vectors @ expected, 0, None) ** ALPHA @ vectors)
    assert expand(QUERY, gallery) == pytest.approx(expected, abs=1e-6)
    assert ROUNDS > 1 and np.linalg.norm(expected - unit(QUERY + (vectors @ QUERY) ** ALPHA @ vectors)) > 0.01


def test_expansion_moves_towards_the_matches(numpy_gallery):
    match = at(0.7)
    expanded = expand(QUERY, numpy_gallery(np.stack([match, at(-0.7, 2)]), np.arange(2)))
    assert expanded @ match > QUERY @ match + 0.1 and expanded[2] == 0
    assert expanded @ QUERY > expanded @ match  # and stays nearer to where it came from


def test_only_the_matched_region_is_added(numpy_gallery):
    alone = expand(QUERY, numpy_gallery(np.stack([at(0.8, 1)]), np.array([0])))
    with_more = expand(QUERY, numpy_gallery(np.stack([at(0.7, 2), at(0.8, 1), at(0.6, 2)]), np.array([0, 0, 0])))
    assert np.array_equal(with_more, alone)


def test_negative_similarities_have_no_weight(numpy_gallery):
    vectors = np.stack([at(-0.2, 1), at(-0.9, 2), at(0, 1)])
    assert np.array_equal(expand(QUERY, numpy_gallery(vectors, np.arange(3))), QUERY)


def test_only_the_nearest_images_are_used(numpy_gallery, monkeypatch):
    monkeypatch.setattr(expansion, "IMAGES", 2)
    vectors = np.stack([at(0.9, 1), at(0.8, 1), at(0.7, 2)])
    assert np.array_equal(
        expand(QUERY, numpy_gallery(vectors, np.arange(3))), expand(QUERY, numpy_gallery(vectors[:2], np.arange(2)))
    )


def test_result_has_unit_length_for_one_image(numpy_gallery):
    rng = np.random.default_rng(0)
    for images in (1, 2, 50):
        vectors = unit(rng.normal(size=(3 * images, 8)))
        query = unit(rng.normal(size=8))
        query.setflags(write=False)
        expanded = expand(query, numpy_gallery(vectors, np.repeat(np.arange(images), 3)))
        assert expanded.shape == (8,) and expanded.dtype == np.float32
        assert np.linalg.norm(expanded) == pytest.approx(1, abs=1e-6)


def test_enough_verified_regions_join_with_the_weight_of_the_query(numpy_gallery, monkeypatch):
    monkeypatch.setattr(expansion, "ENOUGH", 2)
    certain = np.stack([at(0.9, 1), at(0.1, 2)])
    gallery = numpy_gallery(np.stack([at(0.5, 1), at(0.4, 2)]), np.arange(2))
    expected = QUERY + certain[0] + certain[1]
    assert expand_with(QUERY, certain, gallery) == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)


def test_the_nearest_images_join_where_few_are_verified(numpy_gallery, monkeypatch):
    monkeypatch.setattr(expansion, "ENOUGH", 4)
    monkeypatch.setattr(expansion, "ROUNDS", 1)
    certain, vectors = np.stack([at(0.6, 2)]), np.stack([at(0.8, 1), at(0.3, 2)])
    first = unit(QUERY + certain[0])
    expected = QUERY + certain[0] + 0.75 * np.clip(vectors @ first, 0, None) ** ALPHA @ vectors
    found = expand_with(QUERY, certain, numpy_gallery(vectors, np.arange(2)))
    assert found == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)
