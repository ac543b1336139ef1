"""Text query: a search on its own, or a re-ranking of the results of a box."""

from dataclasses import replace

import streamlit as st

from boxfind.ui.search.search_state import search_state
from boxfind.ui.widgets.synced_widgets import key_for, was_set

LONGEST = 200
HELP = (
    "Without a box, a description searches the gallery: *a panda*. With a box, it ranks matching results first: *red*, "
    "*at night*. Common objects, animals and colours work best. Names of people, places and brands do not work."
)


def text_query() -> None:
    """Show the text field."""
    words = search_state().request.words
    key = key_for("words", words)
    st.text_input(
        "Description",
        words,
        key=key,
        max_chars=LONGEST,
        placeholder="For example: a panda. With a box: red",
        icon=":material/short_text:",
        help=HELP,
        on_change=_take,
        args=[key],
    )


def _take(key: str) -> None:
    state, words = search_state(), " ".join(st.session_state[key].split())
    if was_set("words", key, words):
        state.ask(replace(state.request, words=words, positives=(), negatives=()))
