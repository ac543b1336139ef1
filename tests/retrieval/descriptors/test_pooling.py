"""Pooling over a box pools the cells it covers, weighted by coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.descriptors.pooling import POOLINGS, RMAC_LEVELS, gap, gem, mac, pool_layers, region_coverage, rmac
from retrieval.regions.find_regions import grid
from retrieval.types import Box, unit

WIDTH, HEIGHT = 192, 128  # 6 x 4 cells of 32
WHOLE = Box(0, 0, WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def feature_map():
    drawn = np.random.default_rng(0).random((5, 4, 6), dtype=np.float32)
    drawn.setflags(write=False)
    return drawn


def pooled(feature_map, boxes, pooling):
    return pooling(feature_map, boxes, (WIDTH, HEIGHT))


def test_gap_is_the_mean_and_mac_the_maximum_of_the_whole_image(feature_map):
    assert pooled(feature_map, [WHOLE], gap)[0] == pytest.approx(feature_map.mean(axis=(1, 2)), rel=1e-5)
    assert np.array_equal(pooled(feature_map, [WHOLE], mac)[0], feature_map.max(axis=(1, 2)))


@given(st.data())
def test_gap_of_whole_cells_is_their_mean(feature_map, data):
    x0, x1 = sorted(data.draw(st.lists(st.integers(0, 6), min_size=2, max_size=2, unique=True)))
    y0, y1 = sorted(data.draw(st.lists(st.integers(0, 4), min_size=2, max_size=2, unique=True)))
    box = Box(32 * x0, 32 * y0, 32 * x1, 32 * y1)
    cells = feature_map[:, y0:y1, x0:x1]
    assert pooled(feature_map, [box], gap)[0] == pytest.approx(cells.mean(axis=(1, 2)), rel=1e-5)
    assert np.array_equal(pooled(feature_map, [box], mac)[0], cells.max(axis=(1, 2)))


def test_half_covered_cell_has_half_the_weight(feature_map):
    got = pooled(feature_map, [Box(0, 0, 48, 32)], gap)[0]
    assert got == pytest.approx((2 * feature_map[:, 0, 0] + feature_map[:, 0, 1]) / 3, rel=1e-5)


def test_box_inside_one_cell_gives_that_cell(feature_map):
    for name, pooling in POOLINGS.items():
        got = pooled(feature_map, [Box(70, 40, 78, 48)], pooling)[0]
        got = got if name != "rmac" else got / np.linalg.norm(got) * np.linalg.norm(feature_map[:, 1, 2])
        assert got == pytest.approx(feature_map[:, 1, 2], rel=1e-4)


def test_gem_is_the_cubic_mean_between_gap_and_mac(feature_map):
    boxes = [WHOLE, Box(10, 20, 100, 90), Box(5, 5, 9, 9)]
    between, most = pooled(feature_map, boxes, gem), pooled(feature_map, boxes, mac)
    assert between == pytest.approx(np.cbrt(pooled(feature_map**3, boxes, gap)), rel=1e-4, abs=1e-5)
    assert np.all(pooled(feature_map, boxes, gap) <= between + 1e-5) and np.all(between <= most + 1e-5)


@given(st.data(), st.integers(1, 900), st.integers(1, 900), st.integers(1, 9), st.integers(1, 9))
def test_coverage_rows_sum_to_one(data, width, height, w, h):
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    x1, y1 = data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height))
    coverage = region_coverage([Box(x0, y0, x1, y1), Box(0, 0, width, height)], (width, height), (h, w))
    assert coverage.shape == (2, h * w) and coverage.min() >= 0
    assert coverage.sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_regions_pooled_together_equal_regions_pooled_alone(feature_map):
    boxes = [WHOLE, Box(3, 4, 50, 60), Box(100, 0, 192, 128)]
    for pooling in POOLINGS.values():
        alone = np.concatenate([pooled(feature_map, [box], pooling) for box in boxes])
        assert pooled(feature_map, boxes, pooling) == pytest.approx(alone, rel=1e-5)


def test_rmac_is_the_sum_of_unit_macs_over_a_grid(feature_map):
    box = Box(64, 32, 192, 128)  # cells 2 to 5 across, 1 to 3 down
    expected = np.zeros(5)
    for square in (region.box for region in grid(128, 96, RMAC_LEVELS)):
        columns = range((64 + square.x0) // 32, -(-(64 + square.x1) // 32))
        rows = range((32 + square.y0) // 32, -(-(32 + square.y1) // 32))
        most = np.max([feature_map[:, y, x] for y in rows for x in columns], axis=0)
        expected += most / np.linalg.norm(most)
    assert pooled(feature_map, [box], rmac)[0] == pytest.approx(expected, rel=1e-5)
    assert np.linalg.norm(expected) > 15  # twenty squares with similar maxima


@pytest.mark.parametrize("name", POOLINGS)
def test_boxes_of_8_pixels_or_more_have_finite_vectors(feature_map, name):
    for width, height in ((8, 8), (8, 100), (101, 9)):
        vectors = pooled(feature_map, [Box(3, 5, 3 + width, 5 + height), WHOLE], POOLINGS[name])
        assert vectors.shape == (2, 5) and np.isfinite(vectors).all() and vectors.dtype == np.float32


@pytest.fixture(scope="module")
def layers(feature_map):
    mid_layer_weight = np.random.default_rng(1).normal(size=(3, 8, 12)).astype(np.float32)
    mid_layer_weight.setflags(write=False)
    return feature_map, mid_layer_weight


@pytest.mark.parametrize("mid_layer_weight", [0.5, 1, 3])
@pytest.mark.parametrize("name", POOLINGS)
def test_layers_are_concatenated_and_the_finer_one_is_weighted(layers, name, mid_layer_weight):
    boxes = [WHOLE, Box(0, 0, 64, 64), Box(10, 20, 99, 101)]
    together = pool_layers(layers, boxes, (WIDTH, HEIGHT), POOLINGS[name], mid_layer_weight)
    assert together.shape == (3, 8) and together.dtype == np.float32
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-6)
    coarse, finer = together[:, :5], together[:, 5:]
    assert np.linalg.norm(finer, axis=1) == pytest.approx(mid_layer_weight * np.linalg.norm(coarse, axis=1), abs=1e-6)
    assert unit(coarse) == pytest.approx(unit(pooled(layers[0], boxes, POOLINGS[name])), abs=1e-6)
    assert unit(finer) == pytest.approx(unit(pooled(layers[1], boxes, gap)), abs=1e-6)  # always the mean


def test_finer_layer_with_weight_0_is_omitted(layers):
    assert pool_layers(layers, [WHOLE], (WIDTH, HEIGHT), gem, 0) == pytest.approx(
        pool_layers(layers[:1], [WHOLE], (WIDTH, HEIGHT), gem, 0.5)
    )


def test_single_layer_is_its_unit_vector(feature_map):
    alone = pool_layers([feature_map], [WHOLE], (WIDTH, HEIGHT), gem, 0.5)
    assert alone == pytest.approx(unit(pooled(feature_map, [WHOLE], gem)), abs=1e-6)
