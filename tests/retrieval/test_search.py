"""The ranking is that of a plain loop over all regions, however few of them it fetched."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import UnknownName
from retrieval.search import RANKINGS, best_region_per_image, search
from retrieval.types import Box, Hit, Region


class Regions:
    """A gallery in numpy. Coordinates are eighths, so that products are exact and ties are ties."""

    def __init__(self, vectors: np.ndarray, images: np.ndarray) -> None:
        self.vectors, self.images, self.fetched = vectors, images, 0

    @property
    def region_count(self) -> int:
        return len(self.vectors)

    def nearest(self, descriptor, count):
        scores = self.vectors @ descriptor
        upset = np.random.default_rng(len(scores)).permutation(len(scores))  # which of equal ones come is left open
        rows = upset[np.argsort(-scores[upset], kind="stable")][:count]
        rows = rows[np.lexsort((rows, -scores[rows]))]
        self.fetched = max(self.fetched, count)
        return rows, scores[rows]

    def images_of(self, rows):
        return self.images[rows]

    def hit(self, row, score):
        return Hit(f"{self.images[row]:05d}", Region(Box(row, 0, row + 1, 1), "grid"), score)


def random_gallery(seed: int, images: int, most_regions: int) -> tuple[Regions, np.ndarray]:
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, most_regions + 1, images)
    vectors = rng.integers(-2, 3, (counts.sum(), 3)).astype(np.float32) / 8
    return Regions(vectors, np.repeat(np.arange(images), counts)), rng.integers(-2, 3, 3).astype(np.float32) / 8


def plain_loop(query: np.ndarray, gallery: Regions) -> list[tuple[str, int, float]]:
    best: dict[int, tuple[float, int]] = defaultdict(lambda: (-np.inf, -1))
    for row, (vector, image) in enumerate(zip(gallery.vectors, gallery.images, strict=True)):
        score = float(vector @ query)
        if score > best[image][0]:
            best[image] = (score, row)
    ranked = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))
    return [(f"{image:05d}", row, score) for image, (score, row) in ranked]


def as_tuples(hits: list[Hit]) -> list[tuple[str, int, float]]:
    return [(hit.image, hit.region.box.x0, hit.score) for hit in hits]


@settings(max_examples=150)
@given(st.integers(0, 10**6), st.integers(1, 120), st.integers(1, 60), st.integers(1, 150))
def test_it_is_the_plain_loop(seed, images, most_regions, top):
    gallery, query = random_gallery(seed, images, most_regions)
    assert as_tuples(search(query, gallery, "fast", top)) == plain_loop(query, gallery)[:top]


@given(st.integers(0, 10**6))
def test_fewer_results_are_the_first_of_more(seed):
    gallery, query = random_gallery(seed, 60, 30)
    everything = as_tuples(search(query, gallery, top=0))
    assert len(everything) == 60 and everything == plain_loop(query, gallery)
    assert as_tuples(search(query, gallery, top=15)) == everything[:15]
    assert as_tuples(search(query, gallery, top=5)) == everything[:5]


def test_one_image_with_very_many_good_regions_does_not_crowd_the_others_out():
    vectors = np.concatenate([np.full((5000, 1), 1, np.float32), np.array([[0.5], [0.25], [0.75]], np.float32)])
    gallery = Regions(vectors, np.array([0] * 5000 + [1, 2, 3]))
    hits = search(np.ones(1, np.float32), gallery, top=3)
    assert [hit.image for hit in hits] == ["00000", "00003", "00001"]


def test_equal_scores_go_by_image_then_by_row():
    gallery = Regions(np.ones((400, 1), np.float32), np.repeat(np.arange(200), 2))
    assert as_tuples(search(np.ones(1, np.float32), gallery, top=4)) == [(f"0000{n}", 2 * n, 1.0) for n in range(4)]


def test_a_large_gallery_is_not_fetched_whole():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(20_000, 8)).astype(np.float32)
    gallery = Regions(vectors, np.repeat(np.arange(1000), 20))
    assert len(search(vectors[5], gallery, top=10)) == 10
    assert gallery.fetched < 2000


def test_nothing_to_find():
    gallery = Regions(np.zeros((0, 3), np.float32), np.zeros(0, int))
    for top in (0, 10):
        assert search(np.ones(3, np.float32), gallery, top=top) == []


def test_best_region_per_image():
    positions = best_region_per_image(np.array([4, 9, 2, 7]), np.array([0.9, 0.9, 0.5, 0.9]), np.array([2, 1, 2, 1]))
    assert positions.tolist() == [3, 0]  # image 1 by row 7, image 2 by row 4


def test_an_unknown_ranking():
    with pytest.raises(UnknownName, match=f"there are: {', '.join(sorted(RANKINGS))}"):
        search(np.ones(1, np.float32), Regions(np.ones((1, 1), np.float32), np.zeros(1, int)), "fats")
