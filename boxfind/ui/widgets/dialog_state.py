"""Which picture a dialog shows, and whether the page has been asked to open it.

A dialog steps from picture to picture while the page behind it rests. A page that runs opens it only when that was
asked for just before: were the dialog open until its closing is heard of, one that is closed while it is still being
drawn, of which the program hears nothing, would come back with whatever the visitor does next.
"""

from collections.abc import Container
from dataclasses import dataclass

import streamlit as st


@dataclass(frozen=True, slots=True)
class DialogState:
    """`name`: that of the dialog, among all of the program."""

    name: str

    @property
    def image(self) -> str | None:
        """The id of the picture that is shown, or was the last."""
        return st.session_state.get(f"{self.name} shows")

    def open(self, image: str) -> None:
        """Has the next run of the page open the dialog."""
        self.step(image)
        st.session_state[f"{self.name} opens"] = True

    def step(self, image: str) -> None:
        """Shows another picture in the dialog that is open."""
        st.session_state[f"{self.name} shows"] = image

    def is_due(self, images: Container[str]) -> bool:
        """Whether this run is to open it; True once, and only when the picture is among these."""
        return bool(st.session_state.pop(f"{self.name} opens", False)) and self.image in images
