import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.types import Box
from ui.box_picker import SNAP, SPECK, last_box


def drawn(left: object, top: object, width: object, height: object) -> dict[str, object]:
    return {"label": "", "left": left, "top": top, "width": width, "height": height}


def test_a_box_goes_from_canvas_units_to_pixels_of_the_original() -> None:
    assert last_box([drawn(50, 40, 100, 60)], 0.25, 2000, 1000) == Box(200, 160, 600, 400)


def test_the_last_box_wins_and_clicks_and_specks_are_ignored() -> None:
    boxes = [drawn(10, 10, 50, 50), drawn(100, 100, 60, 40), drawn(5, 5, 3, 3), drawn(7, 7, SPECK - 1, 90)]
    assert last_box(boxes, 1.0, 400, 300) == Box(100, 100, 160, 140)


def test_edges_near_the_border_were_meant_to_reach_it() -> None:
    assert last_box([drawn(SNAP - 1, 20, 392, 300 - 20 - SNAP + 1)], 1.0, 400, 300) == Box(0, 20, 400, 300)


@pytest.mark.parametrize(
    "box",
    [
        drawn(math.nan, 0, 50, 50),
        drawn(0, 0, math.inf, 50),
        drawn("x", 0, 50, 50),
        drawn(None, 0, 50, 50),
        {"left": 1},
        drawn(-500, -500, 100, 100),
        drawn(900, 20, 100, 100),
        drawn(20, 20, -50, -50),
    ],
)
def test_what_a_browser_must_not_send_is_passed_over(box: dict[str, object]) -> None:
    assert last_box([box], 1.0, 400, 300) is None
    assert last_box([drawn(20, 30, 40, 50), box], 1.0, 400, 300) == Box(20, 30, 60, 80)


@given(
    st.integers(16, 6000),
    st.integers(16, 6000),
    st.floats(0.1, 0.4),
    st.floats(0.1, 0.4),
    st.floats(0.2, 0.5),
    st.floats(0.2, 0.5),
)
def test_no_edge_is_off_by_more_than_a_pixel(
    width: int, height: int, left: float, top: float, wide: float, high: float
) -> None:
    """Boxes clear of the border, drawn at the scale the canvas would have, come back to the pixel."""
    scale = 460 / max(width, height)
    wanted = (left * width, top * height, (left + wide) * width, (top + high) * height)
    found = last_box(
        [drawn(*(v * scale for v in (wanted[0], wanted[1], wide * width, high * height)))], scale, width, height
    )
    if min(wide * width * scale, high * height * scale) < SPECK or min(wide * width, high * height) < 8:
        return
    assert found is not None
    snap = SNAP / scale
    for edge, want, border in zip((found.x0, found.y0, found.x1, found.y1), wanted, (0, 0, width, height), strict=True):
        assert abs(edge - want) <= 1 or (edge == border and abs(want - border) <= snap + 1)
