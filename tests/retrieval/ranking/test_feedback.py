"""Positive and negative images move the query towards or away from them."""

import numpy as np
import pytest

from retrieval.ranking.feedback import AWAY, TOWARDS, refine
from retrieval.ranking.region_search import nearest_images
from retrieval.types import Query, unit

QUERY = np.array([1, 0, 0], np.float32)
VECTORS = unit(np.array([[0.8, 0.6, 0], [0.5, -0.5, 0.7], [0.6, 0, 0.8], [0.7, 0.1, -0.7], [0, 0, 1]]))
IMAGES = np.array([0, 0, 1, 2, 2])


@pytest.fixture
def query() -> Query:
    QUERY.setflags(write=False)
    return Query((np.zeros((9, 9, 3), np.uint8),), QUERY)


@pytest.mark.parametrize(
    ("positives", "negatives", "moved"),
    [
        ([0], [], TOWARDS * VECTORS[0]),
        ([], [2], -AWAY * VECTORS[3]),
        ([0, 2], [1], TOWARDS * (VECTORS[0] + VECTORS[3]) / 2 - AWAY * VECTORS[2]),
    ],
)
def test_rocchio_uses_the_most_similar_region_of_each_image(numpy_gallery, query, positives, negatives, moved):
    refined = refine(query, positives, negatives, numpy_gallery(VECTORS, IMAGES))
    assert refined.descriptor == pytest.approx(unit(QUERY + moved), abs=1e-6)
    assert refined.descriptor.dtype == np.float32 and refined.crops is query.crops


def test_query_without_feedback_is_unchanged(numpy_gallery, query):
    assert refine(query, [], [], numpy_gallery(VECTORS, IMAGES)) is query


def test_order_and_repetition_of_feedback_do_not_matter(numpy_gallery, query):
    gallery = numpy_gallery(VECTORS, IMAGES)
    one, other = refine(query, [0, 1], [2], gallery), refine(query, [1, 0], [2], gallery)
    assert one.descriptor == pytest.approx(other.descriptor, abs=1e-6)
    alike = numpy_gallery(np.repeat(VECTORS[:1], 3, axis=0), np.arange(3))
    assert refine(query, [0, 1, 2], [], alike).descriptor == pytest.approx(refine(query, [0], [], alike).descriptor)


def test_feedback_raises_positives_and_lowers_negatives(numpy_gallery, query):
    rng = np.random.default_rng(0)
    centres = unit(np.array([[0.7, 0.7, 0], [0.7, 0, 0.7]]))
    vectors = unit(np.repeat(centres, 10, axis=0) + rng.normal(scale=0.1, size=(20, 3)))
    gallery = numpy_gallery(vectors, np.arange(20))
    refined = refine(query, [0], [10], gallery)
    before, after = (nearest_images(q.descriptor, gallery, 10).images for q in (query, refined))
    assert set(after) == set(range(10)) != set(before)
