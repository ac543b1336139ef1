"""Text query: a search on its own, or a re-ranking of the results of a box."""

from dataclasses import replace

import streamlit as st

from boxfind.ui.search.search_state import search_state
from boxfind.ui.widgets.synced_widgets import synced

LONGEST = 200
HELP = (
    "Without a box, a description searches the gallery: *a panda*. With a box, it ranks matching results first: *red*, "
    "*at night*. Common objects, animals and colours work best. Names of people, places and brands do not work."
)


def text_query() -> None:
    """Show the text field."""
    state = search_state()
    words = state.request.words
    st.text_input(
        "Description",
        words,
        max_chars=LONGEST,
        placeholder="For example: a panda. With a box: red",
        icon=":material/short_text:",
        help=HELP,
        **synced(
            "words",
            words,
            lambda words: state.ask(replace(state.request, words=words, positives=(), negatives=())),
            parse=lambda text: " ".join(text.split()),
        ),
    )
