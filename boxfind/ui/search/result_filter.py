"""Filters of the results, in one menu: only likely ones, minimum similarity, folder."""

from collections.abc import Sequence
from typing import Any, get_args

import streamlit as st

from boxfind.ui.search.picture_filters import filter_fields
from boxfind.ui.search.result_order import Ranked
from boxfind.ui.search.search_options import folder_choice
from boxfind.ui.search.search_state import search_state
from boxfind.ui.widgets.counted import counted
from index.gallery import Gallery
from retrieval.types import Confidence, Hit

MINIMUM, ONLY_LIKELY, SINGLY = "minimum similarity", "only likely", "copies singly"
"""Session keys of the filters. A minimum similarity of 0 means no filter, since cosines can be negative."""
NO_FILTER = {MINIMUM: 0.0, ONLY_LIKELY: False}


def filter_menu(gallery: Gallery | None, hits: Sequence[Hit]) -> None:
    """Show the menu. Its label has the number of active filters.

    Without a gallery, for all collections: they have no folders, albums and stacks of copies in common.
    """
    request = search_state().request
    active = bool(_minimum()) + _only_likely() + bool(request.folder) + request.only.parts
    label = f"Filter ({active})" if active else "Filter"
    with st.popover(label, icon=":material/filter_alt:", key="filter"):  # on_change would close it with a new label
        st.toggle("Only likely", key=ONLY_LIKELY, persist_state="session")
        if gallery is not None:
            st.toggle(
                "Show copies singly",
                key=SINGLY,
                persist_state="session",
                help="Otherwise pictures that look nearly the same are stacked under the best one.",
            )
            folder_choice(gallery)
        filter_fields(gallery)
        st.slider("Minimum similarity", 0.0, 1.0, step=0.01, key=MINIMUM, persist_state="session")
        st.vega_lite_chart(_histogram(hits, _minimum()), width="stretch")


def shown_of(hits: Sequence[Hit]) -> list[Ranked]:
    """The hits that pass the filters, with their ranks."""
    least, only_likely = _minimum(), _only_likely()
    return [
        (rank, hit)
        for rank, hit in enumerate(hits, start=1)
        if (not least or hit.similarity >= least) and (not only_likely or hit.confidence == "likely")
    ]


def hidden_count(hits: Sequence[Hit]) -> int:
    """How many results the filters hide."""
    return len(hits) - len(shown_of(hits))


def hidden_note(hits: Sequence[Hit]) -> None:
    """Say how many results the filters hide, and offer to show them."""
    hidden = hidden_count(hits)
    if hidden:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(f"{counted(hidden, 'result')} hidden by the filter.", width="content")
            st.button("Show all results", on_click=st.session_state.update, args=[NO_FILTER])


def shows_copies_singly() -> bool:
    """Whether near-copies are shown as tiles of their own, not as stacks."""
    return bool(st.session_state.get(SINGLY, False))


def _minimum() -> float:
    return float(st.session_state.get(MINIMUM, 0.0))


def _only_likely() -> bool:
    return bool(st.session_state.get(ONLY_LIKELY, False))


def _histogram(hits: Sequence[Hit], least: float) -> dict[str, Any]:
    """A Vega-Lite chart of the similarities, with a line at the chosen minimum."""
    confidences = get_args(Confidence)
    bars = {
        "x": {"field": "similarity", "type": "quantitative", "bin": {"maxbins": 25}, "title": "Similarity"},
        "y": {"aggregate": "count", "title": "Results"},
        "color": {"field": "match", "type": "nominal", "scale": {"domain": confidences}, "title": "Match"},
    }
    return {
        "height": 160,
        "data": {"values": [{"similarity": hit.similarity, "match": hit.confidence} for hit in hits]},
        "layer": [
            {"mark": "bar", "encoding": bars},
            {"mark": {"type": "rule", "strokeDash": [4, 3]}, "encoding": {"x": {"datum": least}}},
        ],
    }
