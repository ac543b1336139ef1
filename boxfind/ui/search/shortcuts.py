"""List of keyboard shortcuts."""

import streamlit as st

from boxfind.ui.search.result_tile import ACTIONS

KEYS = {
    "Anywhere on the page": {
        "W": "Search for the whole picture",
        "F": "Fit the box to the object",
        "X": "Clear the box",
    },
    "On the picture": {
        "Arrows": "Move the box, with Shift resize it; without a box move an enlarged picture",
        "Delete": "Remove the box",
        "Enter": "Draw a box in the middle",
        "+, -, 0": "Zoom in, zoom out, show the whole picture",
        "Space and drag": "Move an enlarged picture",
        "Shift and drag": "Draw a box inside another one",
    },
    "On a result (reach it with Tab)": {
        "Arrows": "Move between results",
        "Enter": ACTIONS[0].label,
        **{action.shortcut.upper(): action.label for action in ACTIONS},
    },
    "On a picture of a group in the catalogue": {
        "A": "Select",
        "M": "Move to another group",
        "X": "Not this: take it out of the group",
        "B": "Back to all groups, anywhere on the page",
    },
    "In the Closer view dialog": {
        "Left, Right": "Previous or next result",
        "+, -, 0": "Zoom in, zoom out, whole picture",
        "Shift + arrows": "Move an enlarged picture",
        "Esc": "Close",
    },
}


def shortcuts() -> None:
    """Show the list in a collapsed expander."""
    with st.expander("Keyboard shortcuts"):
        for where, keys in KEYS.items():
            st.markdown("\n".join([f"**{where}**", "", *(f"- `{key}` {does}" for key, does in keys.items())]))
