"""What is looked for in words: alone, or to choose among what a box has found."""

from dataclasses import replace

import streamlit as st

from boxfind.ui.search.search_state import search_state
from boxfind.ui.widgets.synced_widgets import key_for, was_set

LONGEST = 200
HELP = (
    "Alone it searches the gallery: *a panda*. With a box it puts those first that it suits: *red*, *at night*. "
    "Common things, animals and colours are understood best; names of people, places and brands are not."
)


def text_query() -> None:
    """A line to type in."""
    words = search_state().request.words
    key = key_for("words", words)
    st.text_input(
        "In words",
        words,
        key=key,
        max_chars=LONGEST,
        placeholder="such as: a panda. With a box: red",
        icon=":material/short_text:",
        help=HELP,
        on_change=_take,
        args=[key],
    )


def _take(key: str) -> None:
    state, words = search_state(), " ".join(st.session_state[key].split())
    if was_set("words", key, words):
        state.ask(replace(state.request, words=words, positives=(), negatives=()))
