"""Drawing canvas for boxes, converted from canvas units to pixels of the upright original."""

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from boxfind.ui.search.search_state import SearchState
from boxfind.ui.widgets.colours import COLOURS
from retrieval.descriptors.embedder import SMALLEST_BOX
from retrieval.images.resize import thumbnail
from retrieval.types import Box, Image

CANVAS_WIDTH = 460
CANVAS_HEIGHT = 520
SNAP = 6
"""Box edges this close to the border, in canvas pixels, snap to it."""
SPECK = 8
"""Boxes smaller than this, in canvas pixels, are accidental clicks."""
STROKE = 3
FILL = "rgba(255, 90, 31, 0.08)"
MOST_BOXES = 8
MOST_THINGS = 50
"""Only this many of the newest canvas objects are read."""
ORIGINS = {"left": 0.0, "top": 0.0, "center": 0.5, "right": 1.0, "bottom": 1.0}
"""Anchor point of a canvas object, as a fraction of its side."""


def pick_boxes(image: Image, search_state: SearchState) -> None:
    """Show the canvas and copy the drawn boxes to the search state.

    Only the last box counts unless "Several boxes" is on.
    """
    height, width = image.shape[:2]
    scale = min(CANVAS_WIDTH / width, CANVAS_HEIGHT / height)
    things = _canvas(image, scale, search_state)
    drawn = drawn_boxes(things, scale, width, height)
    boxes = list(dict.fromkeys(_exact(box, search_state.preset, tolerance=(SNAP + 2) / scale) for box in drawn))
    if len(boxes) > 1 and not search_state.several:
        search_state.put(boxes[-1:])  # replaces the canvas by one with this box only
        st.rerun()
    if search_state.several and len(boxes) > len(search_state.preset):
        search_state.put(boxes[:MOST_BOXES])  # replaces the canvas by one with numbered boxes
        st.rerun()
    search_state.drawn(boxes)
    if things and not boxes:
        st.caption("This box is too small. Draw a larger one.")
    elif len(boxes) >= MOST_BOXES:
        st.caption(f"A search can have at most {MOST_BOXES} boxes. Remove one to add another.")


def drawn_boxes(things: Sequence[object], scale: float, width: int, height: int) -> list[Box]:
    """The valid boxes on the canvas, in pixels of a (width, height) picture.

    The only conversion from canvas units to pixels. Browser data is untrusted: invalid and tiny boxes are dropped.
    """
    boxes = []
    for thing in things[-MOST_THINGS:]:
        edges = _edges(thing)
        if edges is None or min(edges[2] - edges[0], edges[3] - edges[1]) < SPECK:
            continue
        x0, x1 = _snapped(edges[0], edges[2], width * scale)
        y0, y1 = _snapped(edges[1], edges[3], height * scale)
        box = Box(math.floor(x0 / scale), math.floor(y0 / scale), math.ceil(x1 / scale), math.ceil(y1 / scale)).clipped(
            width, height
        )
        if box.width >= SMALLEST_BOX and box.height >= SMALLEST_BOX:
            boxes.append(box)
    return boxes


def _canvas(image: Image, scale: float, search_state: SearchState) -> Sequence[object]:
    """Show the canvas over the picture. Returns its objects as sent by the browser."""
    from streamlit_drawable_canvas import st_canvas  # importable in a running app only

    height, width = image.shape[:2]
    key = f"canvas-{search_state.shown}-{search_state.canvas}"
    try:
        with st.container(key="canvas"):
            told = st_canvas(
                background_image=_background(search_state.shown, image),
                width=round(width * scale),
                height=round(height * scale),
                drawing_mode="labeled_rect",
                initial_drawing=_drawing_of(search_state, key, scale, width * scale, height * scale),
                stroke_color=COLOURS[0],
                stroke_width=STROKE,
                fill_color=FILL,
                font_size=16,
                key=key,
            ).json_data
    except (AttributeError, KeyError, TypeError):  # the component does not validate browser data
        return []
    things = told.get("objects") if isinstance(told, Mapping) else None
    return things if isinstance(things, list) else []


def _edges(thing: object) -> tuple[float, float, float, float] | None:
    """Left, top, right and bottom of an upright box in canvas units; None for any other object."""
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


def _exact(box: Box, presets: Sequence[Box], tolerance: float) -> Box:
    """The preset box within tolerance of this one, because the canvas rounds coordinates; else the box itself."""
    near = (preset for preset in presets if all(abs(a - b) <= tolerance for a, b in _edges_of(box, preset)))
    return next(near, box)


def _edges_of(one: Box, other: Box) -> tuple[tuple[int, int], ...]:
    return (one.x0, other.x0), (one.y0, other.y0), (one.x1, other.x1), (one.y1, other.y1)


def _drawing_of(search_state: SearchState, key: str, scale: float, across: float, down: float) -> dict[str, Any]:
    """The preset boxes as an initial drawing, shrunk so that all four sides are visible on the canvas.

    `across` and `down` are the size of the canvas in its units. The browser keeps the old drawing, even over another
    picture, until it gets a different one; the key makes each drawing different.
    """
    from streamlit_drawable_canvas import boxes_to_drawing

    placed = []
    for number, box in enumerate(search_state.preset, start=1):
        x, y, w, h = (side * scale for side in box.xywh)
        w, h = min(w, across - x - STROKE), min(h, down - y - STROKE)
        label = str(number) if search_state.several else ""
        placed.append({"label": label, "left": x, "top": y, "width": w, "height": h})
    drawn: dict[str, Any] = boxes_to_drawing(placed, stroke_color=COLOURS[0], stroke_width=STROKE, fill_color=FILL)
    return drawn | {"key": key}


@st.cache_data(max_entries=32, show_spinner=False)
def _background(key: str, _image: Image) -> str:
    """The picture as a cached data URL; the canvas itself would take seconds to encode it on every run."""
    jpeg = thumbnail(_image, side=2 * CANVAS_WIDTH, quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
