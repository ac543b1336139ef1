"""List of keyboard shortcuts."""

import streamlit as st

from boxfind.ui.search.result_tile import ACTIONS

KEYS = {
    "Anywhere on the page": {
        "W": "Search for the whole picture",
        "F": "Fit the box to the object",
        "X": "Clear the box",
        "B": "Back to the previous search",
    },
    "On a result (reach it with Tab)": {
        "Arrows": "Move between results",
        "Enter": ACTIONS[0].label,
        **{action.shortcut.upper(): action.label for action in ACTIONS},
    },
    "In the Closer view dialog": {"Left, Right": "Previous or next result", "Esc": "Close"},
}


def shortcuts() -> None:
    """Show the list in a collapsed expander."""
    with st.expander("Keyboard shortcuts"):
        for where, keys in KEYS.items():
            st.markdown("\n".join([f"**{where}**", "", *(f"- `{key}` {does}" for key, does in keys.items())]))
