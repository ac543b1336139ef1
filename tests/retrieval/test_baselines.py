"""Baseline rankings: keypoints alone and Euclidean distance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import UnknownName
from retrieval.ranking import matching
from retrieval.ranking.region_search import prefer_whole
from retrieval.ranking.verification import NO_EVIDENCE, Evidence
from retrieval.search import search
from retrieval.types import Box, Query, Region, unit

FLAT = np.zeros((64, 64, 3), np.uint8)


def drawn(numpy_gallery, seed: int, images: int = 12):
    rng = np.random.default_rng(seed)
    vectors = unit(rng.normal(size=(2 * images, 5)) + 0.4)
    return numpy_gallery(vectors, np.repeat(np.arange(images), 2)), Query((FLAT,), unit(rng.normal(size=5)))


@given(st.integers(0, 10**6))
def test_euclidean_ranks_like_the_cosine(numpy_gallery, seed):
    gallery, query = drawn(numpy_gallery, seed)
    by_cosine, by_distance = (search(query, gallery, ranking, 0) for ranking in ("fast", "euclidean"))
    assert [hit.image for hit in by_cosine] == [hit.image for hit in by_distance]
    for hit in by_distance:
        vector = gallery.vectors(np.array([hit.region.box.x0]))[0]
        assert -hit.score == pytest.approx(np.linalg.norm(vector - query.descriptor), abs=1e-3)


def test_sift_ranks_by_inliers_then_similarity(numpy_gallery, monkeypatch):
    gallery, query = drawn(numpy_gallery, 4)
    inliers = {3: 30, 7: 12}

    def verified(look, size, candidates, read, pairs):
        assert len(candidates) == 12 and pairs == float("inf")
        return [
            Evidence(inliers[image], Box(1, 2, 30, 40)) if image in inliers else NO_EVIDENCE for image in candidates
        ]

    monkeypatch.setattr(matching, "verify_all", verified)
    hits = search(query, gallery, "sift", 0)
    assert [hit.image for hit in hits[:2]] == ["00003", "00007"]
    rest = [hit.image for hit in search(query, gallery, "fast", 0) if hit.image not in ("00003", "00007")]
    assert [hit.image for hit in hits[2:]] == rest
    assert hits[0].region == Region(Box(1, 2, 30, 40), "verified") and hits[0].parts["inliers"] == 30


def test_unknown_ranking_lists_rankings_and_baselines(numpy_gallery):
    gallery, query = drawn(numpy_gallery, 1)
    with pytest.raises(UnknownName, match="best, euclidean, fast, sift"):
        search(query, gallery, "fats")


def test_whole_image_is_preferred_on_a_near_tie(numpy_gallery, monkeypatch):
    vectors = unit(np.array([[1, 0.2], [1, 0.0], [0, 1.0], [1, 0.1]]))
    gallery = numpy_gallery(vectors, np.array([0, 0, 1, 1]))
    monkeypatch.setattr(
        type(gallery), "region", lambda _, row: Region(Box(row, 0, row + 1, 1), "grid" if row % 2 else "whole")
    )
    query = Query((FLAT,), unit(np.array([1, 0.0])))
    hits = search(query, gallery, "fast", 0)
    assert [hit.region.kind for hit in hits] == ["grid", "grid"]
    assert prefer_whole(hits, query, gallery, 0.0) == hits
    assert [hit.region.kind for hit in prefer_whole(hits, query, gallery, 0.05)] == ["whole", "grid"]
    assert [hit.score for hit in prefer_whole(hits, query, gallery, 0.05)] == [hit.score for hit in hits]
