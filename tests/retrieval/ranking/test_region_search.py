"""Image search equals a naive loop over all regions, however few regions it fetches."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.ranking import region_search
from retrieval.ranking.region_search import (
    best_position_per_image,
    best_region_of,
    best_region_per_image,
    nearest_images,
)
from tests.retrieval.conftest import NumpyGallery


def plain_loop(query, gallery):
    best = defaultdict(lambda: (-np.inf, -1))
    for row, (vector, image) in enumerate(zip(gallery.region_vectors, gallery.images.tolist(), strict=True)):
        score = float(vector @ query)
        if score > best[image][0]:
            best[image] = (score, row)
    ranked = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))
    return [(image, row, score) for image, (score, row) in ranked]


class Filtered(NumpyGallery):
    """Every third image is not searched."""

    @property
    def region_count(self):
        return int(self.are_searched(np.arange(len(self.images))).sum())

    def are_searched(self, rows):
        return self.images[rows] % 3 > 0


def found(query, gallery, top):
    nearest = nearest_images(query, gallery, top)
    return list(zip(nearest.images.tolist(), nearest.rows.tolist(), nearest.scores.tolist(), strict=True))


@settings(max_examples=150)
@given(st.integers(0, 10**6), st.integers(1, 120), st.integers(1, 60), st.integers(1, 150))
def test_search_equals_a_plain_loop(random_gallery, seed, images, most_regions, top):
    gallery, query = random_gallery(seed, images, most_regions)
    assert found(query, gallery, top) == plain_loop(query, gallery)[:top]


@given(st.integers(0, 10**6))
def test_fewer_results_are_a_prefix_of_more(random_gallery, seed):
    gallery, query = random_gallery(seed, 60, 30)
    everything = found(query, gallery, 0)
    assert len(everything) == 60 and everything == plain_loop(query, gallery)
    assert found(query, gallery, 15) == everything[:15]
    assert found(query, gallery, 5) == everything[:5]


@pytest.mark.parametrize("seed", range(5))
def test_all_similarities_give_the_same_images_as_a_search(random_gallery, monkeypatch, seed):
    gallery, query = random_gallery(seed, 60, 30)
    searched = [found(query, gallery, top) for top in (0, 20)]
    monkeypatch.setattr(region_search, "_FEW", 0)
    gallery.fetched = 0
    assert [found(query, gallery, top) for top in (0, 20)] == searched
    assert gallery.fetched == 0
    few = Filtered(gallery.region_vectors, gallery.images, graph=gallery.graph)
    assert found(query, few, 0) == [hit for hit in searched[0] if hit[0] % 3]


def test_image_with_many_good_regions_does_not_hide_others(numpy_gallery, random_gallery):
    vectors = np.concatenate([np.full((5000, 1), 1, np.float32), np.array([[0.5], [0.25], [0.75]], np.float32)])
    no_graph = random_gallery(0, 1, 1)[0].graph
    gallery = numpy_gallery(vectors, np.array([0] * 5000 + [1, 2, 3]), graph=no_graph)
    assert [image for image, _, _ in found(np.ones(1, np.float32), gallery, 3)] == [0, 3, 1]


def test_ties_are_ordered_by_image_then_row(numpy_gallery):
    gallery = numpy_gallery(np.ones((400, 1), np.float32), np.repeat(np.arange(200), 2))
    assert found(np.ones(1, np.float32), gallery, 4) == [(n, 2 * n, 1.0) for n in range(4)]


def test_large_gallery_is_not_fetched_completely(numpy_gallery, random_gallery):
    vectors = np.random.default_rng(0).normal(size=(20_000, 8)).astype(np.float32)
    no_graph = random_gallery(0, 1, 1)[0].graph
    gallery = numpy_gallery(vectors, np.repeat(np.arange(1000), 20), graph=no_graph)
    assert len(found(vectors[5], gallery, 10)) == 10
    assert gallery.fetched < 2000


def test_empty_gallery(numpy_gallery):
    gallery = numpy_gallery(np.zeros((0, 3), np.float32), np.zeros(0, int))
    for top in (0, 10):
        assert found(np.ones(3, np.float32), gallery, top) == []


def test_best_region_per_image():
    positions = best_region_per_image(np.array([4, 9, 2, 7]), np.array([0.9, 0.9, 0.5, 0.9]), np.array([2, 1, 2, 1]))
    assert positions.tolist() == [3, 0]  # image 1 by row 7, image 2 by row 4


@given(st.integers(0, 10**6), st.integers(1, 30))
def test_best_region_of_equals_that_of_the_search(random_gallery, seed, images):
    gallery, query = random_gallery(seed, images, 9)
    for image, row, score in plain_loop(query, gallery):
        assert best_region_of(image, query, gallery) == (row, score)


@given(st.integers(0, 10**6), st.integers(0, 60), st.integers(1, 30))
def test_best_positions_in_row_order_are_those_of_any_order(random_gallery, seed, images, most_regions):
    gallery, query = random_gallery(seed, images, most_regions)
    scores = gallery.similarities(query)
    positions = best_position_per_image(scores, gallery.images)
    rows = np.arange(len(scores))
    assert positions.tolist() == sorted(best_region_per_image(rows, scores, gallery.images).tolist())
