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
FILL = "rgba(255, 90, 31, 0.08)"
MOST_THINGS = 50
"""What lies on a canvas below this many others is not looked at."""
ORIGINS = {"left": 0.0, "top": 0.0, "center": 0.5, "right": 1.0, "bottom": 1.0}
"""The point of a box that the canvas gives the place of, as a share of its side."""


def pick_box(key: str, image: Image) -> Box | None:
    """Shows the picture to draw on; the last box drawn, typed in or set elsewhere, None as long as there is none."""
    height, width = image.shape[:2]
    scale = min(CANVAS_WIDTH / width, CANVAS_HEIGHT / height)
    state = drawing()
    things = _canvas(key, image, scale, state)
    drawn = last_box(things, scale, width, height)
    if not things:
        state.box = None
    elif drawn is None or _same(drawn, state.preset, tolerance=(SNAP + 2) / scale):
        state.box = state.preset  # to the pixel, where the canvas can only tell it roughly
    elif len(things) > 1 and drawn != state.box:
        state.put(drawn)  # a canvas with this box alone takes the place of the one with several
        st.rerun()
    else:
        state.box = drawn
    if things and state.box is None:
        st.caption("That box is too small to search with; draw a larger one.")
    _by_numbers(state, width, height)
    return state.box


def last_box(things: Sequence[object], scale: float, width: int, height: int) -> Box | None:
    """The last box on the canvas that is not a click or a speck, in pixels of a (width, height) picture.

    This is the only place that goes from canvas units to pixels. What comes from a browser is not trusted.
    """
    for thing in reversed(things[-MOST_THINGS:]):
        edges = _edges(thing)
        if edges is None or min(edges[2] - edges[0], edges[3] - edges[1]) < SPECK:
            continue
        x0, x1 = _snapped(edges[0], edges[2], width * scale)
        y0, y1 = _snapped(edges[1], edges[3], height * scale)
        box = Box(math.floor(x0 / scale), math.floor(y0 / scale), math.ceil(x1 / scale), math.ceil(y1 / scale)).clipped(
            width, height
        )
        if box.width >= SMALLEST_BOX and box.height >= SMALLEST_BOX:
            return box
    return None


def _canvas(key: str, image: Image, scale: float, state: Drawing) -> Sequence[object]:
    """The canvas with the picture below it; what lies on it, as the browser tells it."""
    from streamlit_drawable_canvas import st_canvas  # works in a running app only

    height, width = image.shape[:2]
    try:
        told = st_canvas(
            background_image=_background(key, image),
            width=round(width * scale),
            height=round(height * scale),
            drawing_mode="labeled_rect",
            initial_drawing=_drawing_of(state.preset, scale),
            stroke_color=COLOUR,
            stroke_width=STROKE,
            fill_color=FILL,
            key=f"canvas-{key}-{state.version}",
        ).json_data
    except (AttributeError, KeyError, TypeError):  # the component takes it for granted that a browser tells the truth
        return []
    things = told.get("objects") if isinstance(told, Mapping) else None
    return things if isinstance(things, list) else []


def _edges(thing: object) -> tuple[float, float, float, float] | None:
    """Left, top, right and bottom of an upright box in canvas units; None for anything else that may be sent."""
    if not isinstance(thing, Mapping) or thing.get("type") != "LabeledRect":
        return None
    try:
        left, top, wide, high = (float(thing[side]) for side in ("left", "top", "width", "height"))
        wide, high = wide * float(thing.get("scaleX", 1)), high * float(thing.get("scaleY", 1))
        left -= ORIGINS[thing.get("originX", "left")] * wide
        top -= ORIGINS[thing.get("originY", "top")] * high
        turned = float(thing.get("angle", 0)) % 360 != 0
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    edges = (left, top, left + wide, top + high)
    return None if turned or not all(map(math.isfinite, edges)) else edges


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
    drawn: dict[str, Any] = boxes_to_drawing([placed], stroke_color=COLOUR, stroke_width=STROKE, fill_color=FILL)
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
