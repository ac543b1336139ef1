"""A roughly drawn box is fitted to the thing in it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.metrics import iou
from retrieval.snap import snap_box
from retrieval.types import Box

THING = Box(120, 80, 240, 200)


def picture(seed: int = 0) -> np.ndarray:
    """A red thing on a green ground, both a little uneven."""
    noise = np.random.default_rng(seed).integers(-12, 13, (300, 400, 3))
    image = np.full((300, 400, 3), (40, 140, 60)) + noise
    image[THING.y0 : THING.y1, THING.x0 : THING.x1] += np.array([160, -90, -20])
    image = image.clip(0, 255).astype(np.uint8)
    image.setflags(write=False)
    return image


@pytest.mark.parametrize("drawn", [Box(100, 60, 262, 215), Box(110, 76, 280, 230), Box(90, 40, 250, 210)])
def test_a_loose_box_becomes_a_snug_one(drawn: Box) -> None:
    fitted = snap_box(picture(), drawn)
    assert iou(fitted, THING) > max(0.9, iou(drawn, THING))


def test_the_same_box_is_fitted_the_same_way() -> None:
    assert len({snap_box(picture(), Box(100, 60, 262, 215)) for _ in range(3)}) == 1


def test_where_there_is_nothing_to_tell_apart_the_box_stays() -> None:
    flat = np.full((100, 120, 3), 90, np.uint8)
    assert snap_box(flat, Box(20, 20, 80, 70)) == Box(20, 20, 80, 70)
    assert snap_box(flat, Box(0, 0, 120, 100)) == Box(0, 0, 120, 100)


@settings(max_examples=25)
@given(st.integers(0, 390), st.integers(0, 290), st.integers(8, 400), st.integers(8, 300))
def test_a_fitted_box_lies_in_the_picture(x: int, y: int, w: int, h: int) -> None:
    drawn = Box.from_xywh(x, y, w, h).clipped(400, 300)
    fitted = snap_box(picture(), drawn)
    assert fitted == fitted.clipped(400, 300) and fitted.width > 0 and fitted.height > 0
