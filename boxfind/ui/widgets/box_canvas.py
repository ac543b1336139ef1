"""A picture on which boxes are drawn, moved and resized, as a Streamlit component.

The component owns no state: it shows the boxes it is given and reports edits. All boxes are in pixels of the original.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from boxfind.ui.widgets.component_files import joined_files
from boxfind.ui.widgets.media_address import media_address
from boxfind.ui.widgets.thumbnail import COLOURS
from retrieval.descriptors.embedder import SMALLEST_BOX
from retrieval.types import Box

MARKUP = ("box_canvas.html", "zoom_buttons.html")
STYLES = ("zoom_view.css", "box_canvas.css")
SCRIPTS = (
    "box_canvas.js",
    "box_canvas_shapes.js",
    "box_canvas_gestures.js",
    "box_canvas_keys.js",
    "zoom_view.js",
    "load_picture.js",
    "svg.js",
)
CANVAS = st.components.v2.component(
    "boxfind_box_canvas",
    html=f'<div class="surface">{joined_files(*MARKUP)}</div>',
    css=joined_files(*STYLES),
    js=joined_files(*SCRIPTS),
)
MOST_BOXES = 8
"""Boxes on a picture, at most."""


def box_canvas(
    picture: str,
    jpeg: bytes,
    size: tuple[int, int],
    boxes: Sequence[Box],
    on_edit: Callable[[str, list[Box]], None],
    key: str,
    numbers: Sequence[int] = (),
    dots: Sequence[Box] = (),
    several: bool = False,
    most: int = MOST_BOXES,
    label: str = "Picture",
) -> None:
    """Show a picture with its boxes; `picture` is its id and `size` the (width, height) of the original.

    `on_edit` gets the picture's id and all its boxes before the page reruns. Unless `several` is set, a new box
    replaces the others; otherwise there can be `most`. `numbers` label the boxes. A dot marks each box of `dots`;
    choosing it draws that box.
    """

    def edited() -> None:
        sent = st.session_state.get(key)
        st.session_state[f"{key} edit"] = edit_number(sent)
        drawn = boxes_in(sent, picture, size)
        if drawn is not None:
            on_edit(picture, drawn if several else drawn[-1:])

    CANVAS(
        key=key,
        data={
            "picture": picture,
            "address": media_address(jpeg, key),
            "size": size,
            "boxes": [_edges(box) for box in boxes],
            "numbers": list(numbers),
            "dots": [_edges(box) for box in dots],
            "several": several,
            "most": most,
            "smallest": SMALLEST_BOX,
            "colours": COLOURS,
            "label": label,
            "edit": st.session_state.get(f"{key} edit"),  # the latest edit that these boxes take into account
        },
        on_edited_change=edited,
    )


def boxes_in(sent: Any, picture: str, size: tuple[int, int]) -> list[Box] | None:
    """The boxes in the browser data; None unless all are valid and belong to this picture."""
    try:
        edit = sent["edited"]
        belongs, drawn = edit["picture"] == picture, edit["boxes"]
    except (KeyError, TypeError):
        return None
    if not belongs or not isinstance(drawn, list) or len(drawn) > MOST_BOXES:
        return None
    boxes = [_box(edges, size) for edges in drawn]
    return None if None in boxes else list(dict.fromkeys(box for box in boxes if box))


def edit_number(sent: Any) -> int | None:
    """The number that the browser gave to its edit; None if it is invalid."""
    try:
        number = sent["edited"]["edit"]
    except (KeyError, TypeError):
        return None
    return number if isinstance(number, int) and 0 <= number < 2**53 else None


def _box(edges: object, size: tuple[int, int]) -> Box | None:
    """A box [x0, y0, x1, y1] from the browser, clipped to the picture; None if it is invalid or too small."""
    if not isinstance(edges, list) or len(edges) != 4 or not all(map(_is_number, edges)):
        return None
    x0, y0, x1, y1 = (min(max(edge, -1), limit + 1) for edge, limit in zip(edges, size * 2, strict=True))
    box = Box(math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1)).clipped(*size)
    return box if min(box.width, box.height) >= SMALLEST_BOX else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53  # NaN is not


def _edges(box: Box) -> tuple[int, int, int, int]:
    return box.x0, box.y0, box.x1, box.y1
