"""Drawing canvas for boxes, converted from canvas units to pixels of the upright original."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from boxfind.ui.search.search_state import SearchState
from boxfind.ui.widgets.thumbnail import COLOURS
from retrieval.descriptors.embedder import SMALLEST_BOX
from retrieval.images.resize import thumbnail
from retrieval.types import Box, Image

CANVAS_WIDTH = 460
CANVAS_HEIGHT = 520
SNAP = 6
"""Box edges this close to the border, in canvas units, snap to it."""
SMALLEST_DRAWN = 8
"""Boxes smaller than this, in canvas units, are accidental clicks."""
STROKE = 3
STYLE: dict[str, Any] = {"stroke_color": COLOURS[0], "stroke_width": STROKE, "fill_color": "rgba(255, 90, 31, 0.08)"}
MOST_BOXES = 8
MOST_OBJECTS = 50
"""Only this many of the newest canvas objects are read."""
ORIGINS = {"left": 0.0, "top": 0.0, "center": 0.5, "right": 1.0, "bottom": 1.0}
"""Anchor point of a canvas object, as a fraction of its side."""


def pick_boxes(image: Image, state: SearchState) -> None:
    """Show the canvas and copy the drawn boxes to the search state.

    Only the last box counts unless "Several boxes" is on.
    """
    height, width = image.shape[:2]
    scale = min(CANVAS_WIDTH / width, CANVAS_HEIGHT / height)
    objects = _canvas(image, scale, state)
    drawn = drawn_boxes(objects, scale, width, height)
    boxes = list(dict.fromkeys(_preset_or_same(box, state.preset, (SNAP + 2) / scale) for box in drawn))
    if len(boxes) > 1 and not state.several:
        state.draw(boxes[-1:])  # replaces the canvas by one with this box only
        st.rerun()
    if state.several and len(boxes) > len(state.preset):
        state.draw(boxes[:MOST_BOXES])  # replaces the canvas by one with numbered boxes
        st.rerun()
    state.take_drawn(boxes)
    if objects and not boxes:
        st.caption("This box is too small. Draw a larger one.")
    elif len(boxes) >= MOST_BOXES:
        st.caption(f"A search can have at most {MOST_BOXES} boxes. Remove one to add another.")


def drawn_boxes(objects: Sequence[object], scale: float, width: int, height: int) -> list[Box]:
    """The valid boxes on the canvas, in pixels of a (width, height) picture.

    The only conversion from canvas units to pixels. Browser data is untrusted: invalid and tiny boxes are dropped.
    """
    boxes = []
    for edges in map(_edges, objects[-MOST_OBJECTS:]):
        if edges is None or min(edges[2] - edges[0], edges[3] - edges[1]) < SMALLEST_DRAWN:
            continue
        x0, y0 = (0.0 if edge < SNAP else edge / scale for edge in edges[:2])
        x1 = width if edges[2] > width * scale - SNAP else edges[2] / scale
        y1 = height if edges[3] > height * scale - SNAP else edges[3] / scale
        box = Box(math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1)).clipped(width, height)
        if box.width >= SMALLEST_BOX and box.height >= SMALLEST_BOX:
            boxes.append(box)
    return boxes


def _canvas(image: Image, scale: float, state: SearchState) -> Sequence[object]:
    """Show the canvas over the picture. Returns its objects as sent by the browser."""
    from streamlit_drawable_canvas import boxes_to_drawing, st_canvas  # importable in a running app only

    width, height = image.shape[1] * scale, image.shape[0] * scale
    presets = []
    for number, box in enumerate(state.preset, start=1):
        x, y, w, h = (side * scale for side in box.xywh)
        visible = {"width": min(w, width - x - STROKE), "height": min(h, height - y - STROKE)}  # with all four sides
        presets.append({"label": str(number) if state.several else "", "left": x, "top": y, **visible})
    key = f"canvas-{state.shown}-{state.canvas}"
    try:
        with st.container(key="canvas"):
            sent = st_canvas(
                background_image=_background(state.shown, image),
                width=round(width),
                height=round(height),
                drawing_mode="labeled_rect",
                # The browser keeps the old drawing, even over another picture, until it gets a different one.
                initial_drawing=boxes_to_drawing(presets, **STYLE) | {"key": key},
                font_size=16,
                key=key,
                **STYLE,
            ).json_data
    except (AttributeError, KeyError, TypeError):  # the component does not validate browser data
        return []
    objects = sent.get("objects") if isinstance(sent, Mapping) else None
    return objects if isinstance(objects, list) else []


def _edges(drawn: object) -> tuple[float, float, float, float] | None:
    """Left, top, right and bottom of an upright box in canvas units; None for any other object."""
    if not isinstance(drawn, Mapping) or drawn.get("type") != "LabeledRect":
        return None
    try:
        left, top, width, height = (float(drawn[side]) for side in ("left", "top", "width", "height"))
        width, height = width * float(drawn.get("scaleX", 1)), height * float(drawn.get("scaleY", 1))
        left -= ORIGINS[drawn.get("originX", "left")] * width
        top -= ORIGINS[drawn.get("originY", "top")] * height
        rotated = float(drawn.get("angle", 0)) % 360 != 0
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    edges = (left, top, left + width, top + height)
    return None if rotated or not all(map(math.isfinite, edges)) else edges


def _preset_or_same(box: Box, presets: Sequence[Box], tolerance: float) -> Box:
    """The preset box within tolerance of this one, because the canvas rounds coordinates; else the box itself."""
    for preset in presets:
        differences = (box.x0 - preset.x0, box.y0 - preset.y0, box.x1 - preset.x1, box.y1 - preset.y1)
        if max(map(abs, differences)) <= tolerance:
            return preset
    return box


@st.cache_data(max_entries=32, show_spinner=False)
def _background(key: str, _image: Image) -> bytes:
    """The picture as a small JPEG; the canvas itself would take seconds to encode it on every run."""
    return thumbnail(_image, side=2 * CANVAS_WIDTH, quality=88)
