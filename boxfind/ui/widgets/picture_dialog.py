"""Open a dialog about one picture, and step through the pictures of the page in it.

The dialog changes pictures without rerunning the page behind it. A page run opens it only on a fresh request.
Streamlit does not report a dialog that is closed while it is still being drawn; a stored "open" flag would bring such
a dialog back on the next interaction. So nobody knows for sure whether it is open; `dialog_may_be_open` says so until
the next page run.
"""

from collections.abc import Callable, Sequence

import streamlit as st

from boxfind.ui.widgets.picture_view import ViewedPicture, picture_view
from boxfind.ui.widgets.safe_text import plain
from retrieval.printable_names import shown
from retrieval.types import Box

PICTURE, REQUESTED, OPENED = "dialog picture", "dialog requested", "dialog opened"
"""Session keys: the id of the picture in the dialog, whether the next page run opens it, and whether one was opened."""
ENLARGED = "enlarged picture"
"""Session key: the id of the picture that needs more pixels."""


def request_dialog(image: str) -> None:
    """Make the next page run open the dialog with this picture."""
    st.session_state[PICTURE], st.session_state[REQUESTED] = image, True


def dialog_requested(images: Sequence[str]) -> bool:
    """Whether this run opens the dialog: True once per request, and only if its picture is one of `images`."""
    opens = bool(st.session_state.pop(REQUESTED, False)) and st.session_state[PICTURE] in images
    if opens:
        dialog_opens()
    return opens


def dialog_opens() -> None:
    """Tell that a dialog opens, whatever it is about: a page that runs again by itself would close it."""
    st.session_state[OPENED] = True


def dialog_may_be_open() -> bool:
    """Whether a dialog was opened since the last page run began. It may have been closed since."""
    return bool(st.session_state.get(OPENED, False))


def forget_dialog() -> None:
    """Tell that a page run begins: it closes any dialog, or opens it anew."""
    st.session_state[OPENED] = False


def dialog_picture(images: Sequence[str], name_of: Callable[[str], str]) -> int:
    """The position of the dialog's picture, whose name is shown as a heading."""
    image = st.session_state.get(PICTURE)
    place = images.index(image) if image in images else 0
    st.markdown(f"**{place + 1:,} of {len(images):,}** · {plain(shown(name_of(images[place])))}")
    return place


def step_buttons(images: Sequence[str], place: int) -> None:
    """Buttons that show the previous and the next picture in the dialog. The arrow keys belong to `dialog_view`.

    A shortcut of Streamlit would not work while a switch has the focus.
    """
    for label, step, side in (("Previous", -1, "left"), ("Next", 1, "right")):
        st.button(
            label,
            icon=f":material/chevron_{side}:",
            help=f"{side.capitalize()} arrow key",
            disabled=not 0 <= place + step < len(images),
            on_click=_go_to,
            args=[images, place + step],
        )


def search_menu(starts: Sequence[str]) -> str | None:
    """A menu of what the next search can start with. Returns the choice, once."""
    icon = ":material/center_focus_strong:"
    chosen: str | None = st.menu_button("Search", starts, icon=icon, key="search from here", help="Search from here")
    return chosen


def dialog_view(
    images: Sequence[str], place: int, picture: ViewedPicture, on_choose: Callable[[Box], None] | None = None
) -> None:
    """Show a picture of the dialog, to zoom in. The arrow keys show its neighbours."""
    picture_view(
        picture,
        "dialog view",
        on_step=lambda step: _go_to(images, place + step),
        on_choose=on_choose,
        on_sharper=lambda: st.session_state.update({ENLARGED: images[place]}),
    )


def _go_to(images: Sequence[str], place: int) -> None:
    if 0 <= place < len(images):
        st.session_state[PICTURE] = images[place]
