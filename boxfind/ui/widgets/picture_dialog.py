"""Open a dialog about one picture, and step through the pictures of the page in it.

The dialog changes pictures without rerunning the page behind it. A page run opens it only on a fresh request.
Streamlit does not report a dialog that is closed while it is still being drawn; a stored "open" flag would bring such
a dialog back on the next interaction.
"""

from collections.abc import Sequence

import streamlit as st

from boxfind.ui.widgets.safe_text import plain
from retrieval.printable_names import shown

PICTURE, REQUESTED = "dialog picture", "dialog requested"
"""Session keys: the id of the picture in the dialog, and whether the next page run opens it."""


def request_dialog(image: str) -> None:
    """Make the next page run open the dialog with this picture."""
    st.session_state[PICTURE], st.session_state[REQUESTED] = image, True


def dialog_requested(images: Sequence[str]) -> bool:
    """Whether this run opens the dialog: True once per request, and only if its picture is one of `images`."""
    return bool(st.session_state.pop(REQUESTED, False)) and st.session_state[PICTURE] in images


def dialog_picture(images: Sequence[str]) -> int:
    """The position of the dialog's picture, whose name is shown as a heading."""
    image = st.session_state.get(PICTURE)
    place = images.index(image) if image in images else 0
    st.markdown(f"**{place + 1:,} of {len(images):,}** · {plain(shown(images[place]))}")
    return place


def step_buttons(images: Sequence[str], place: int) -> None:
    """Buttons that show the previous and the next picture in the dialog."""
    for label, step, key in (("Previous", -1, "Left"), ("Next", 1, "Right")):
        st.button(
            label,
            icon=f":material/chevron_{key.lower()}:",
            shortcut=key,
            disabled=not 0 <= place + step < len(images),
            on_click=st.session_state.update,
            args=[{PICTURE: images[(place + step) % len(images)]}],
        )
