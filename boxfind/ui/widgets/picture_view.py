"""A picture with outlines to zoom and pan in, as a Streamlit component.

Outlines are drawn by the browser, so the JPEG stays the same when they change. Arrow keys and swipes step to the
neighbouring pictures.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from boxfind.ui.widgets.component_files import joined_files
from boxfind.ui.widgets.media_address import media_address
from boxfind.ui.widgets.thumbnail import COLOURS
from retrieval.types import Box

MARKUP = ("picture_view.html", "zoom_buttons.html")
STYLES = ("zoom_view.css", "picture_view.css")
SCRIPTS = ("picture_view.js", "zoom_view.js", "load_picture.js", "svg.js")
VIEW = st.components.v2.component(
    "boxfind_picture_view",
    html=f'<div class="surface">{joined_files(*MARKUP)}</div>',
    css=joined_files(*STYLES),
    js=joined_files(*SCRIPTS),
)


@dataclass(frozen=True, slots=True)
class ViewedPicture:
    """What the view shows. All text is shown as plain text."""

    picture: str
    """A name of the picture; the zoom is kept as long as it stays the same."""
    jpeg: bytes
    size: tuple[int, int]
    """Width and height of the original in pixels; outlines use its coordinates."""
    alt: str
    outlines: tuple[Box, ...] = ()
    """Boxes to outline, in the order of `colours`; the last colour is for all others."""
    colours: tuple[str, ...] = COLOURS
    line: int = 3
    """Width of the outlines in CSS pixels."""
    choose: str = ""
    """The label of outlines that can be chosen, such as "Search with region"; empty if they cannot."""
    sharper: bool = False
    """Whether there is a JPEG with more pixels."""


def picture_view(
    shown: ViewedPicture,
    key: str,
    on_step: Callable[[int], None],
    on_choose: Callable[[Box], None] | None = None,
    on_sharper: Callable[[], None] | None = None,
) -> None:
    """Show a picture.

    `on_step` gets -1 or 1 for the previous or next picture, `on_choose` the chosen outline, and `on_sharper` is called
    when the picture has been enlarged beyond the pixels of its JPEG; all before the page reruns.
    """

    def stepped() -> None:
        step = sent_in(st.session_state.get(key), "step")
        if step in (-1, 1):
            on_step(step)

    def chosen() -> None:
        index = sent_in(st.session_state.get(key), "chosen")
        if on_choose is not None and index is not None and 0 <= index < len(shown.outlines):
            on_choose(shown.outlines[index])

    VIEW(
        key=key,
        data={
            "picture": shown.picture,
            "address": media_address(shown.jpeg, key),
            "size": shown.size,
            "alt": shown.alt,
            "label": "Picture; + and - zoom, Shift and arrow keys move it, arrow keys show its neighbours",
            "outlines": [(box.x0, box.y0, box.x1, box.y1) for box in shown.outlines],
            "colours": shown.colours,
            "line": shown.line,
            "choose": shown.choose if on_choose is not None else "",
            "sharper": shown.sharper and on_sharper is not None,
        },
        on_step_change=stepped,
        on_chosen_change=chosen,
        on_sharper_change=on_sharper or (lambda: None),
    )


def sent_in(sent: Any, name: str) -> int | None:
    """The whole number of this name in the browser data; None if there is none."""
    try:
        number = sent[name]
    except (KeyError, TypeError):
        return None
    return number if isinstance(number, int) and not isinstance(number, bool) else None
