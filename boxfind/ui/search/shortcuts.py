"""The keys that do what buttons do, listed on the page."""

import streamlit as st

from boxfind.ui.search.result_grid import ACTIONS

KEYS = {
    "Anywhere on the page": {
        "W": "Search for the whole picture",
        "F": "Fit the box to the thing in it",
        "X": "Clear the box",
        "B": "Back to the search before",
    },
    "On a result, once Tab has led to it": {
        "Arrows": "From result to result",
        "Enter": ACTIONS[0].label,
        **{action.shortcut.upper(): action.label for action in ACTIONS},
    },
    "While looking closer": {"Left, Right": "The result before, the next one", "Esc": "Close"},
}


def shortcuts() -> None:
    """Folded away until somebody asks."""
    with st.expander("Keyboard shortcuts"):
        for where, keys in KEYS.items():
            st.markdown("\n".join([f"**{where}**", "", *(f"- `{key}` {does}" for key, does in keys.items())]))
