"""State of a picture dialog: the picture it shows, and whether the next page run opens it.

A dialog steps through pictures without rerunning the page behind it. A page run opens the dialog only on a fresh
request. Streamlit does not report a dialog that is closed while it is still being drawn; a stored "open" flag would
bring such a dialog back on the next interaction.
"""

from collections.abc import Container
from dataclasses import dataclass

import streamlit as st


@dataclass(frozen=True, slots=True)
class DialogState:
    """`name` is unique among the dialogs of the program."""

    name: str

    @property
    def image(self) -> str | None:
        """The id of the picture shown now or last."""
        return st.session_state.get(f"{self.name} shows")

    def open(self, image: str) -> None:
        """Make the next page run open the dialog."""
        self.step(image)
        st.session_state[f"{self.name} opens"] = True

    def step(self, image: str) -> None:
        """Show another picture in the open dialog."""
        st.session_state[f"{self.name} shows"] = image

    def is_due(self, images: Container[str]) -> bool:
        """Whether this run opens the dialog: True once per request, and only if its picture is in `images`."""
        return bool(st.session_state.pop(f"{self.name} opens", False)) and self.image in images
