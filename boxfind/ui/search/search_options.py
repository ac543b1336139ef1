"""The description and the options of a search: ranking, folder and padding."""

from dataclasses import replace
from typing import Any

import streamlit as st

from boxfind.ui.search.search_state import search_state
from boxfind.ui.served_gallery import folders
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.synced_widgets import synced
from index.gallery import Gallery

LONGEST_DESCRIPTION = 200
DESCRIPTION_HELP = (
    "Finds text in pictures, such as *7-Eleven*, and things that they show, such as *a panda*. Words in quotation "
    "marks must be written in the picture. With a box, matching results come first: *red*, *at night*. Common objects, "
    "animals and colours work best. Names of people, places and brands are found only where they are written."
)
LABELS = {"best": "Best", "fast": "Fast"}
RANKING_HELP = (
    "**Best** also compares small details and the words on the object, and follows similarities between gallery "
    "pictures. "
    "**Fast** is a single vector search."
)
PADDINGS = {1.0: "none", 1.1: "10 %", 1.2: "20 %", 1.3: "30 %", 1.4: "40 %", 1.5: "50 %"}
"""Display names by size of the padded box relative to the drawn one."""
PADDING_HELP = "Padding helps to find small or plain objects. Use none in cluttered scenes."


def description_field(gallery: Gallery) -> None:
    """A text query: a search on its own, or a re-ranking of the results of a box. Hidden where it cannot work."""
    state = search_state()
    words = state.request.words
    if not words and shared_engine().networks.text_problem(gallery):
        return
    st.text_input(
        "Description",
        words,
        max_chars=LONGEST_DESCRIPTION,
        placeholder="Describe what you are looking for",
        icon=":material/short_text:",
        help=DESCRIPTION_HELP,
        **synced(
            "words",
            words,
            lambda words: state.ask(replace(state.request, words=words, positives=(), negatives=())),
            parse=lambda text: " ".join(text.split()),
        ),
    )


def ranking_choice() -> None:
    """Choose best or fast ranking for the rest of the session."""
    chosen = search_state().request.ranking
    st.segmented_control(
        "Ranking",
        list(LABELS),
        default=chosen,
        required=True,
        format_func=LABELS.__getitem__,
        help=RANKING_HELP,
        label_visibility="collapsed",
        width="content",
        **_option("ranking", chosen),
    )


def folder_choice(gallery: Gallery) -> None:
    """Limit results to a folder; hidden if the gallery has no subfolders."""
    below, chosen = folders(gallery), search_state().request.folder
    if below:
        options = ["", *sorted({*below, chosen} - {""})]
        st.selectbox(
            "Folder",
            options,
            index=options.index(chosen),
            format_func=lambda folder: folder or "All folders",
            **_option("folder", chosen),
        )


def padding_choice() -> None:
    """Choose how much padding is added to the box."""
    chosen = min(PADDINGS, key=lambda padding: abs(padding - search_state().request.context))
    st.select_slider(
        "Padding",
        list(PADDINGS),
        value=chosen,
        format_func=PADDINGS.__getitem__,
        help=PADDING_HELP,
        **_option("context", chosen),
    )


def _option(name: str, value: Any) -> dict[str, Any]:
    """Arguments of a widget that sets this field of the request."""
    state = search_state()
    return synced(name, value, lambda chosen: state.set_options(replace(state.request, **{name: chosen})))
