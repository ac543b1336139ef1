"""Invariants of boxes and unit vectors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import BoxfindError, UnknownName, pick
from retrieval.types import Box, unit

edges = st.integers(-3000, 3000)
sizes = st.integers(1, 2000)
boxes = st.builds(Box.from_xywh, edges, edges, sizes, sizes)


@given(boxes)
def test_box_round_trips_through_xywh(box):
    assert Box.from_xywh(*box.xywh) == box
    assert (box.width, box.height) == (box.x1 - box.x0, box.y1 - box.y0)


@given(boxes, sizes, sizes)
def test_clipping_keeps_exactly_the_pixels_inside(box, width, height):
    clipped = box.clipped(width, height)
    assert max(clipped.width, 0) == len(range(max(box.x0, 0), min(box.x1, width)))
    assert max(clipped.height, 0) == len(range(max(box.y0, 0), min(box.y1, height)))


@given(boxes, st.floats(1, 3))
def test_growing_keeps_the_centre_and_everything_inside(box, factor):
    grown = box.grown(factor)
    assert grown.x0 <= box.x0 and grown.y0 <= box.y0 and grown.x1 >= box.x1 and grown.y1 >= box.y1
    assert abs((grown.x0 + grown.x1) - (box.x0 + box.x1)) <= 1
    assert -1e-6 < grown.width - factor * box.width < 2 + 1e-6 and -1e-6 < grown.height - factor * box.height < 2 + 1e-6
    assert box.grown(1) == box


def test_unit_vectors():
    vectors = np.random.default_rng(0).normal(size=(5, 7)) * 100
    made = unit(vectors)
    assert made.dtype == np.float32
    assert np.linalg.norm(made, axis=1) == pytest.approx(1, abs=1e-6)
    assert np.allclose(made * np.linalg.norm(vectors, axis=1, keepdims=True), vectors, rtol=1e-5)
    assert not unit(np.zeros((2, 3))).any()  # and no division by zero


def test_pick_lists_the_choices():
    assert pick({"a": 1}, "pooling", "a") == 1
    with pytest.raises(UnknownName, match=r"no pooling called 'gme'; choose from: gap, gem\.") as caught:
        pick({"gem": 1, "gap": 2}, "pooling", "gme")
    assert isinstance(caught.value, BoxfindError)
