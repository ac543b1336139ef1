"""How results are ranked and where they may come from, as the visitor chooses it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from boxfind.ui.search.search_state import search_state
from boxfind.ui.served_gallery import folders
from boxfind.ui.widgets.synced_widgets import key_for, was_set
from index.gallery import Gallery
from retrieval.request import Request

LABELS = {"best": "Best", "fast": "Fast"}
HELP = (
    "**Best** looks twice: it compares small details and follows likenesses between pictures. "
    "**Fast** is one vector search."
)
CONTEXTS = {
    1.0: "as drawn",
    1.1: "a little more",
    1.2: "20 % more",
    1.3: "30 % more",
    1.4: "40 % more",
    1.5: "half more",
}
CONTEXT_HELP = "Small and plain things are found more surely with some of their surroundings; crowded ones without."


def ranking_choice() -> None:
    """Best or fast; it stays for the whole visit."""
    chosen = search_state().request.ranking
    key = key_for("ranking", chosen)
    st.segmented_control(
        "Ranking",
        list(LABELS),
        default=chosen,
        required=True,
        format_func=LABELS.__getitem__,
        key=key,
        help=HELP,
        on_change=_settle,
        args=["ranking", key, lambda request, value: replace(request, ranking=value)],
    )


def folder_choice(gallery: Gallery) -> None:
    """Everywhere, or only below one folder; nothing where all pictures lie in one."""
    below, chosen = folders(gallery), search_state().request.folder
    if not below:
        return
    key, options = key_for("folder", chosen), ["", *sorted({*below, chosen} - {""})]
    st.selectbox(
        "In",
        options,
        index=options.index(chosen),
        format_func=lambda folder: folder or "All folders",
        key=key,
        on_change=_settle,
        args=["folder", key, lambda request, value: replace(request, folder=value or "")],
        width=200,
    )


def context_choice() -> None:
    """How much of its surroundings is looked at with the box."""
    chosen = min(CONTEXTS, key=lambda context: abs(context - search_state().request.context))
    key = key_for("context", chosen)
    st.select_slider(
        "Surroundings of the box",
        list(CONTEXTS),
        value=chosen,
        format_func=CONTEXTS.__getitem__,
        key=key,
        help=CONTEXT_HELP,
        on_change=_settle,
        args=["context", key, lambda request, value: replace(request, context=value)],
    )


def _settle(name: str, key: str, change: Callable[[Request, Any], Request]) -> None:
    state, value = search_state(), st.session_state[key]
    if was_set(name, key, value):
        state.settle(change(state.request, value))
