import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxfind.ui.widgets.box_canvas import MOST_BOXES, boxes_in, edit_number
from retrieval.descriptors.embedder import SMALLEST_BOX
from retrieval.types import Box

SIZE = (400, 300)


def sent(*boxes: object, picture: object = "cup", edit: object = 1) -> dict[str, object]:
    """An edit as sent by the browser."""
    return {"edited": {"picture": picture, "boxes": list(boxes), "edit": edit}}


def test_boxes_are_read_in_their_order_and_only_once() -> None:
    one, other = [10, 20, 60, 80], [100.4, 100.4, 159.6, 140]
    assert boxes_in(sent(one, other, one), "cup", SIZE) == [Box(10, 20, 60, 80), Box(100, 100, 160, 140)]
    assert boxes_in(sent(), "cup", SIZE) == []


def test_boxes_of_another_picture_are_ignored() -> None:
    assert boxes_in(sent([10, 20, 60, 80]), "mug", SIZE) is None


def test_r27_a_box_beyond_a_border_ends_at_it() -> None:
    assert boxes_in(sent([-50, 20, 1e9, 2**52]), "cup", SIZE) == [Box(0, 20, 400, 300)]


@pytest.mark.parametrize(
    "box",
    [
        [math.nan, 0, 50, 50],
        [0, 0, math.inf, 50],
        [10**400, 0, 50, 50],
        [0, 0, 50, 10**400],
        ["x", 0, 50, 50],
        [None, 0, 50, 50],
        [True, 0, 50, 50],
        [[], {}, 50, 50],
        [0, 0, 50],
        [0, 0, 50, 50, 50],
        [60, 60, 60, 60],
        [60, 60, 60 + SMALLEST_BOX - 1, 160],
        [160, 160, 60, 60],
        [-500, -500, -400, -400],
        [900, 20, 1000, 120],
        {"0": 1},
        "0123",
        None,
        7,
    ],
)
def test_r26_an_invalid_box_invalidates_the_edit(box: object) -> None:
    assert boxes_in(sent(box), "cup", SIZE) is None
    assert boxes_in(sent([20, 30, 60, 80], box), "cup", SIZE) is None


def test_r26_too_many_boxes_are_ignored() -> None:
    boxes = [[0, 0, 50 + number, 50] for number in range(MOST_BOXES + 1)]
    assert boxes_in(sent(*boxes), "cup", SIZE) is None
    assert len(boxes_in(sent(*boxes[1:]), "cup", SIZE) or []) == MOST_BOXES


def test_the_number_of_an_edit_is_read() -> None:
    assert edit_number(sent(edit=1_795_000_000_000)) == 1_795_000_000_000
    invalid: list[object] = [None, "1", 1.5, -1, 2**60, [], math.nan]
    assert all(edit_number(sent(edit=wrong)) is None for wrong in invalid)


VALUES = st.none() | st.booleans() | st.floats() | st.integers() | st.text()
NAMES = st.sampled_from(["edited", "picture", "boxes", "edit"])
JSON = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
)


@given(JSON | st.builds(lambda box: sent(box), st.lists(VALUES | st.integers(-99, 999), min_size=4, max_size=4)))
def test_r26_any_json_gives_boxes_inside_the_picture_or_none(told: object) -> None:
    edit_number(told)
    for box in boxes_in(told, "cup", SIZE) or []:
        assert box == box.clipped(*SIZE) and min(box.width, box.height) >= SMALLEST_BOX


@given(st.integers(0, 300), st.integers(0, 200), st.integers(SMALLEST_BOX, 100), st.integers(SMALLEST_BOX, 100))
def test_boxes_of_whole_pixels_are_kept_exactly(x: int, y: int, width: int, height: int) -> None:
    box = Box.from_xywh(x, y, width, height)
    assert boxes_in(sent([box.x0, box.y0, box.x1, box.y1]), "cup", SIZE) == [box]
