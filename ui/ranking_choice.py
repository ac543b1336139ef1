"""How results are ranked and where they may come from, as the visitor chooses it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from index.gallery import Gallery
from retrieval.request import Request
from ui.asking import asking
from ui.served_gallery import folders

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
    _follow("ranking", asking().request.ranking)
    st.segmented_control(
        "Ranking",
        list(LABELS),
        required=True,
        format_func=LABELS.__getitem__,
        key="ranking",
        help=HELP,
        on_change=partial(_settle, "ranking", lambda request, value: replace(request, ranking=value)),
    )


def folder_choice(gallery: Gallery) -> None:
    """Everywhere, or only below one folder; nothing where all pictures lie in one."""
    below, chosen = folders(gallery), asking().request.folder
    if not below:
        return
    _follow("folder", chosen)
    st.selectbox(
        "In",
        ["", *sorted({*below, chosen} - {""})],
        format_func=lambda folder: folder or "All folders",
        key="folder",
        on_change=partial(_settle, "folder", lambda request, value: replace(request, folder=value or "")),
        width=200,
    )


def context_choice() -> None:
    """How much of its surroundings is looked at with the box."""
    _follow("context", min(CONTEXTS, key=lambda context: abs(context - asking().request.context)))
    st.select_slider(
        "Surroundings of the box",
        list(CONTEXTS),
        format_func=CONTEXTS.__getitem__,
        key="context",
        help=CONTEXT_HELP,
        on_change=partial(_settle, "context", lambda request, value: replace(request, context=value)),
    )


def _follow(widget: str, value: object) -> None:
    """Has a widget show what is asked for, which a link or a step back may have changed."""
    st.session_state[widget] = value


def _settle(widget: str, change: Callable[[Request, Any], Request]) -> None:
    state = asking()
    state.settle(change(state.request, st.session_state[widget]))
