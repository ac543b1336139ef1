"""The grid lies in the image, covers it, and is symmetric under transposition."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import UnknownName
from retrieval.regions.find_regions import drop_duplicate_regions, find_regions
from retrieval.types import Box, Region, unit


def laid_out(sources, width, height, levels):
    """Regions that depend only on the image size."""
    return find_regions(np.zeros((1, 1, 3), np.uint8), (width, height), sources, levels, {})


sides = st.integers(8, 4000)
levels = st.integers(1, 5)


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (1024, 768)])
def test_4_to_3_image_has_21_regions_at_3_levels(width, height):
    regions = laid_out(("whole", "grid"), width, height, 3)
    assert [region.kind for region in regions] == ["whole"] + ["grid"] * 20
    assert regions[0].box == Box(0, 0, width, height)


def test_grid_of_a_square_image():
    regions = laid_out(("grid",), 100, 100, 2)
    assert [region.box for region in regions] == [
        Box(0, 0, 100, 100),
        *(Box(x, y, x + 67, y + 67) for y in (0, 33) for x in (0, 33)),
    ]
    assert len(laid_out(("whole", "grid"), 100, 100, 3)) == 1 + 4 + 9  # the first square is the whole


@given(sides, sides, levels)
def test_regions_are_distinct_lie_inside_and_cover_the_image(width, height, levels):
    boxes = [region.box for region in laid_out(("whole", "grid"), width, height, levels)]
    assert len(set(boxes)) == len(boxes)
    assert all(0 <= b.x0 < b.x1 <= width and 0 <= b.y0 < b.y1 <= height for b in boxes)
    assert all(abs(b.width - b.height) <= 2 for b in boxes[1:])  # squares, but for rounding at both ends
    assert min(b.x0 for b in boxes[1:] or boxes) == 0 and max(b.y1 for b in boxes[1:] or boxes) == height


@given(sides, sides, levels)
def test_grid_of_a_transposed_image_is_transposed(width, height, levels):
    one = {region.box for region in laid_out(("grid",), width, height, levels)}
    other = {region.box for region in laid_out(("grid",), height, width, levels)}
    assert one == {Box(b.y0, b.x0, b.y1, b.x1) for b in other}


@given(st.integers(100, 2000), st.floats(1.05, 3))
def test_neighbours_on_the_first_level_overlap(short, ratio):
    boxes = [region.box for region in laid_out(("grid",), int(short * ratio), short, 1)]
    overlaps = [(a.x1 - b.x0) / short for a, b in itertools.pairwise(boxes)]
    assert min(overlaps) > 0.2 and np.ptp(overlaps) < 0.05


def test_unknown_region_source_lists_the_choices():
    with pytest.raises(UnknownName, match="choose from: grid, whole"):
        laid_out(("gird",), 64, 64, 1)


def at(*degrees: float) -> np.ndarray:
    return np.stack([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))], axis=1).astype(np.float32)


def test_duplicate_of_a_kept_region_is_dropped():
    ten = float(np.cos(np.deg2rad(10.01)))
    assert drop_duplicate_regions(at(0, 5, 90, 95, 0, 180), ten) == [0, 2, 5]
    assert drop_duplicate_regions(at(0, 9, 18, 27, 36), ten) == [0, 2, 4]  # 9 was dropped, so it suppresses nothing
    assert drop_duplicate_regions(at(0, 11, 22), ten) == [0, 1, 2]
    assert drop_duplicate_regions(at(*[30] * 7), ten) == [0]
    assert drop_duplicate_regions(at(30), -1) == [0] and drop_duplicate_regions(np.zeros((0, 2), np.float32), ten) == []


@given(st.integers(0, 10**6), st.integers(1, 25), st.floats(-1, 1))
def test_kept_regions_differ_and_dropped_ones_resemble_an_earlier_one(seed, count, similarity):
    vectors = unit(np.random.default_rng(seed).normal(size=(count, 3)))
    vectors.setflags(write=False)
    kept = drop_duplicate_regions(vectors, similarity)
    similar = vectors @ vectors.T
    assert kept[0] == 0 and kept == sorted(kept)
    for region in range(1, count):
        before = [other for other in kept if other < region]
        assert (similar[region, before].max() > similarity) == (region not in kept)


def test_regions_of_a_smaller_copy_are_scaled_to_the_original():
    copy, seen = np.zeros((50, 100, 3), np.uint8), []

    def find(image):
        seen.append(image)
        boxes = [Box(10, 5, 30, 25), Box(0, 0, 100, 50), Box(90, 40, 120, 60), Box(100, 0, 100, 9)]
        return [Region(box, "detector", 0.7, "cup") for box in boxes]

    found = find_regions(copy, (400, 200), ("whole", "detector"), 2, {"detector": find})
    assert seen[0] is copy
    assert found == [
        Region(Box(0, 0, 400, 200), "whole"),  # which the detector found too
        Region(Box(40, 20, 120, 100), "detector", 0.7, "cup"),
        Region(Box(360, 160, 400, 200), "detector", 0.7, "cup"),
    ]
