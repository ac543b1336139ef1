import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxfind.ui.search.box_picker import SMALLEST_DRAWN, SNAP, drawn_boxes
from retrieval.types import Box


def last_box(things: list[object], scale: float, width: int, height: int) -> Box | None:
    boxes = drawn_boxes(things, scale, width, height)
    return boxes[-1] if boxes else None


def drawn(left: object, top: object, width: object, height: object, **more: object) -> dict[str, object]:
    """A box as sent by the canvas."""
    return {"type": "LabeledRect", "label": "", "left": left, "top": top, "width": width, "height": height} | more


def grown(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    names = st.sampled_from(["type", "left", "top", "width", "height", "scaleX", "scaleY", "originX", "angle"])
    return st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4)


def test_canvas_units_become_pixels_of_the_original() -> None:
    assert last_box([drawn(50, 40, 100, 60)], 0.25, 2000, 1000) == Box(200, 160, 600, 400)


def test_the_last_box_wins_and_tiny_boxes_are_ignored() -> None:
    boxes = [drawn(10, 10, 50, 50), drawn(100, 100, 60, 40), drawn(5, 5, 3, 3), drawn(7, 7, SMALLEST_DRAWN - 1, 90)]
    assert last_box(boxes, 1.0, 400, 300) == Box(100, 100, 160, 140)


def test_edges_near_the_border_snap_to_it() -> None:
    assert last_box([drawn(SNAP - 1, 20, 392, 300 - 20 - SNAP + 1)], 1.0, 400, 300) == Box(0, 20, 400, 300)


@pytest.mark.parametrize(
    "thing",
    [
        drawn(math.nan, 0, 50, 50),
        drawn(0, 0, math.inf, 50),
        drawn("x", 0, 50, 50),
        drawn(None, 0, 50, 50),
        drawn("nan", 0, 50, 50),
        drawn(10**400, 0, 50, 50),
        drawn([], {}, 50, 50),
        drawn(0, 0, 0, 0),
        drawn(60, 60, 1, 1),
        drawn(60, 60, 90, 90, angle=30),
        drawn(60, 60, 90, 90, angle=math.nan),
        drawn(60, 60, 90, 90, scaleX=math.inf),
        drawn(60, 60, 90, 90, originX="elsewhere"),
        drawn(60, 60, 90, 90, originY=[]),
        drawn(60, 60, 90, 90, type="Rect"),
        {"type": "LabeledRect", "left": 1},
        {},
        [],
        "LabeledRect",
        None,
        7,
        drawn(-500, -500, 100, 100),
        drawn(900, 20, 100, 100),
        drawn(20, 20, -50, -50),
    ],
)
def test_r26_invalid_objects_are_ignored(thing: object) -> None:
    assert last_box([thing], 1.0, 400, 300) is None
    assert last_box([drawn(20, 30, 40, 50), thing], 1.0, 400, 300) == Box(20, 30, 60, 80)


def test_r26_only_the_newest_objects_are_read() -> None:
    assert last_box([drawn(20, 30, 40, 50)] + [drawn(1, 1, 2, 2)] * 10_000, 1.0, 400, 300) is None
    assert last_box([drawn(1, 1, 2, 2)] * 10_000 + [drawn(20, 30, 40, 50)], 1.0, 400, 300) == Box(20, 30, 60, 80)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), grown, max_leaves=12))
def test_r26_any_json_gives_a_box_inside_the_picture_or_none(thing: object) -> None:
    box = last_box([thing, drawn(0, 0, 1, 1) | thing if isinstance(thing, dict) else thing], 0.5, 400, 300)
    assert box is None or box == box.clipped(400, 300)


def test_scaled_and_centre_anchored_boxes_are_read_correctly() -> None:
    assert last_box([drawn(100, 80, 20, 10, scaleX=3, scaleY=4)], 1.0, 400, 300) == Box(100, 80, 160, 120)
    assert last_box([drawn(100, 80, 40, 20, originX="center", originY="bottom")], 1.0, 400, 300) == Box(80, 60, 120, 80)


@pytest.mark.parametrize("scale", [0.23, 1.0, 1.7])
@pytest.mark.parametrize(
    "box",
    [
        Box(0, 60, 90, 150),
        Box(310, 60, 400, 150),
        Box(100, 0, 200, 120),
        Box(100, 180, 200, 300),
        Box(0, 0, 400, 300),
    ],
)
def test_r27_a_box_at_or_beyond_a_border_ends_at_it(box: Box, scale: float) -> None:
    x, y, w, h = (side * scale for side in box.xywh)
    assert near(last_box([drawn(x, y, w, h)], scale, 400, 300), box)
    beyond = [
        x - 40 * (box.x0 == 0),
        y - 40 * (box.y0 == 0),
        w + 40 * (box.x0 == 0) + 40 * (box.x1 == 400),
        h + 40 * (box.y0 == 0) + 40 * (box.y1 == 300),
    ]
    assert near(last_box([drawn(*beyond)], scale, 400, 300), box)


def near(found: Box | None, wanted: Box) -> bool:
    """Edges at a border are exact, the others within a pixel."""
    assert found is not None
    pairs = zip((found.x0, found.y0, found.x1, found.y1), (wanted.x0, wanted.y0, wanted.x1, wanted.y1), strict=True)
    return all(abs(a - b) <= (0 if b in (0, 300, 400) else 1) for a, b in pairs)


@given(
    st.integers(16, 6000),
    st.integers(16, 6000),
    st.floats(0.1, 0.4),
    st.floats(0.1, 0.4),
    st.floats(0.2, 0.5),
    st.floats(0.2, 0.5),
)
def test_edges_are_accurate_to_a_pixel(
    width: int, height: int, left: float, top: float, wide: float, high: float
) -> None:
    """Boxes away from the border survive the canvas scale to the pixel."""
    scale = 460 / max(width, height)
    wanted = (left * width, top * height, (left + wide) * width, (top + high) * height)
    found = last_box(
        [drawn(*(v * scale for v in (wanted[0], wanted[1], wide * width, high * height)))], scale, width, height
    )
    if min(wide * width * scale, high * height * scale) < SMALLEST_DRAWN or min(wide * width, high * height) < 8:
        return
    assert found is not None
    snap = SNAP / scale
    for edge, want, border in zip((found.x0, found.y0, found.x1, found.y1), wanted, (0, 0, width, height), strict=True):
        assert abs(edge - want) <= 1 or (edge == border and abs(want - border) <= snap + 1)
