"""A person draws a box on a picture; the rest of the program gets it in pixels of the upright original."""

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from retrieval.embed import SMALLEST_BOX
from retrieval.images import thumbnail
from retrieval.types import Box, Image
from ui.session import Drawing, drawing

CANVAS_WIDTH = 460
CANVAS_HEIGHT = 520
SNAP = 6
"""Canvas pixels from the border within which a box was meant to reach it."""
SPECK = 8
"""Canvas pixels below which a box was a click or a slip."""
STROKE = 3
COLOUR = "#ff5a1f"


def pick_box(key: str, image: Image) -> Box | None:
    """Shows the picture to draw on; the last box drawn, typed in or set elsewhere, None as long as there is none."""
    from streamlit_drawable_canvas import st_canvas  # works in a running app only

    height, width = image.shape[:2]
    scale = min(CANVAS_WIDTH / width, CANVAS_HEIGHT / height)
    state = drawing()
    canvas = st_canvas(
        background_image=_background(key, image),
        width=round(width * scale),
        height=round(height * scale),
        drawing_mode="labeled_rect",
        initial_drawing=_drawing_of(state.preset, scale),
        stroke_color=COLOUR,
        stroke_width=STROKE,
        fill_color="rgba(255, 90, 31, 0.08)",
        key=f"canvas-{key}-{state.version}",
    )
    drawn = last_box(canvas.boxes, scale, width, height)
    if not canvas.boxes:
        state.box = None
    elif drawn is None or _same(drawn, state.preset, tolerance=(SNAP + 2) / scale):
        state.box = state.preset  # to the pixel, where the canvas can only tell it roughly
    elif len(canvas.boxes) > 1 and drawn != state.box:
        state.put(drawn)  # a canvas with this box alone takes the place of the one with several
        st.rerun()
    else:
        state.box = drawn
    _by_numbers(state, width, height)
    return state.box


def last_box(boxes: Sequence[Mapping[str, Any]], scale: float, width: int, height: int) -> Box | None:
    """The last box on the canvas that is not a click or a speck, in pixels of a (width, height) picture.

    This is the only place that goes from canvas units to pixels. What comes from a browser is not trusted.
    """
    for drawn in reversed(boxes):
        try:
            left, top, wide, high = (float(drawn[side]) for side in ("left", "top", "width", "height"))
        except (KeyError, TypeError, ValueError):
            continue
        if not all(math.isfinite(value) for value in (left, top, wide, high)) or min(wide, high) < SPECK:
            continue
        x0, x1 = _snapped(left, left + wide, width * scale)
        y0, y1 = _snapped(top, top + high, height * scale)
        box = Box(math.floor(x0 / scale), math.floor(y0 / scale), math.ceil(x1 / scale), math.ceil(y1 / scale)).clipped(
            width, height
        )
        if box.width >= SMALLEST_BOX and box.height >= SMALLEST_BOX:
            return box
    return None


def _snapped(start: float, end: float, length: float) -> tuple[float, float]:
    return (0.0 if start < SNAP else start), (length if end > length - SNAP else end)


def _same(one: Box, other: Box | None, tolerance: float) -> bool:
    """Whether every edge lies within the tolerance, in pixels, of the other box's."""
    return other is not None and all(
        abs(a - b) <= tolerance
        for a, b in ((one.x0, other.x0), (one.y0, other.y0), (one.x1, other.x1), (one.y1, other.y1))
    )


def _drawing_of(box: Box | None, scale: float) -> dict[str, Any] | None:
    from streamlit_drawable_canvas import boxes_to_drawing

    if box is None:
        return None
    x, y, w, h = (side * scale for side in box.xywh)
    placed = {"label": "", "left": x, "top": y, "width": w, "height": h}
    drawn: dict[str, Any] = boxes_to_drawing(
        [placed], stroke_color=COLOUR, stroke_width=STROKE, fill_color="rgba(255, 90, 31, 0.08)"
    )
    return drawn


@st.cache_data(max_entries=32, show_spinner=False)
def _background(key: str, _image: Image) -> str:
    """A data URL: the canvas would take seconds to encode the picture itself, on every run."""
    jpeg = thumbnail(_image, side=2 * CANVAS_WIDTH, quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def _by_numbers(state: Drawing, width: int, height: int) -> None:
    """The way without a mouse: the whole picture at once, or four numbers."""
    with st.container(horizontal=True):
        st.button("Whole picture", icon=":material/fullscreen:", on_click=state.put, args=[Box(0, 0, width, height)])
        st.button("Clear", icon=":material/close:", on_click=state.put, args=[None], disabled=state.box is None)
    with st.expander("Set the box by numbers"):
        x, y, w, h = state.box.xywh if state.box else (0, 0, width, height)
        largest = {"Left": width - SMALLEST_BOX, "Top": height - SMALLEST_BOX, "Width": width, "Height": height}
        for name, value in zip(largest, (x, y, w, h), strict=True):
            st.session_state[f"box {name}"] = value
        for column, name in zip(st.columns(4), largest, strict=True):
            least = 0 if name in ("Left", "Top") else SMALLEST_BOX
            column.number_input(
                f"{name} (pixels)",
                least,
                largest[name],
                step=1,
                key=f"box {name}",
                on_change=_take_numbers,
                args=[width, height],
            )


def _take_numbers(width: int, height: int) -> None:
    x, y, w, h = (int(st.session_state[f"box {name}"]) for name in ("Left", "Top", "Width", "Height"))
    drawing().put(Box.from_xywh(x, y, w, h).clipped(width, height))
