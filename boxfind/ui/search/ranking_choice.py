"""Choices of ranking, folder and padding."""

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
    "**Best** also compares small details and follows similarities between gallery pictures. "
    "**Fast** is a single vector search."
)
PADDINGS = {1.0: "none", 1.1: "10 %", 1.2: "20 %", 1.3: "30 %", 1.4: "40 %", 1.5: "50 %"}
"""Display names by size of the padded box relative to the drawn one."""
PADDING_HELP = "Padding helps to find small or plain objects. Use none in cluttered scenes."


def ranking_choice() -> None:
    """Choose best or fast ranking for the rest of the session."""
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
    """Limit results to a folder; hidden if the gallery has no subfolders."""
    below, chosen = folders(gallery), search_state().request.folder
    if not below:
        return
    key, options = key_for("folder", chosen), ["", *sorted({*below, chosen} - {""})]
    st.selectbox(
        "Folder",
        options,
        index=options.index(chosen),
        format_func=lambda folder: folder or "All folders",
        key=key,
        on_change=_settle,
        args=["folder", key, lambda request, value: replace(request, folder=value or "")],
        width=200,
    )


def context_choice() -> None:
    """Choose how much padding is added to the box."""
    chosen = min(PADDINGS, key=lambda context: abs(context - search_state().request.context))
    key = key_for("context", chosen)
    st.select_slider(
        "Padding",
        list(PADDINGS),
        value=chosen,
        format_func=PADDINGS.__getitem__,
        key=key,
        help=PADDING_HELP,
        on_change=_settle,
        args=["context", key, lambda request, value: replace(request, context=value)],
    )


def _settle(name: str, key: str, change: Callable[[Request, Any], Request]) -> None:
    state, value = search_state(), st.session_state[key]
    if was_set(name, key, value):
        state.settle(change(state.request, value))
