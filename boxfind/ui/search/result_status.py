"""The line above the results: how many matches there are, and what was searched."""

from collections.abc import Sequence

import streamlit as st

from boxfind.ui.build_line import poll, searching
from boxfind.ui.error_boundary import polled
from boxfind.ui.index_facts import text_facts
from boxfind.ui.search.result_filter import hidden_count
from boxfind.ui.search.result_order import match_counts
from boxfind.ui.search.search_state import search_state
from boxfind.ui.search.settled_results import Found
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.counted import counted
from index.gallery import Gallery
from retrieval.errors import IndexProblem
from retrieval.ranking.confidence import NO_MATCH
from retrieval.types import Hit


def status(gallery: Gallery, found: Found, hits: Sequence[Hit], changes: str) -> None:
    """Say how many matches there are. page.css reserves its lines, so that the tiles below keep their position.

    A narrow column cuts the end off, so the most important facts come first. `hits`: those found that are shown.
    `changes`: since the search was saved.
    """
    request, hidden, gone = search_state().request, hidden_count(hits), len(found.hits) - len(hits)
    facts = [changes] if changes else []
    if gone:
        facts.append(f"{counted(gone, 'picture')} shown before {'is' if gone == 1 else 'are'} no longer in the index")
    if hidden:
        facts.append(f"{hidden} hidden by the filter")
    if request.positives or request.negatives:
        facts.append(f"{len(request.positives)} right, {len(request.negatives)} wrong")
    took = f"Searched {found.scope.counts} in {1000 * found.seconds:.0f} ms"
    key = "status-partial" if _read_so_far() else "status"
    with st.container(key=key, horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{match_counts(hits) or NO_MATCH}**", width="content")
        polled(_facts, poll(shared_engine()))(facts, took)


def _facts(facts: Sequence[str], took: str) -> None:
    """While the index is not complete, what is searched stands in the place of what was."""
    partly = searching(shared_engine())
    told = [partly, _read_so_far(), *facts, "" if partly else took]
    st.caption(" · ".join(filter(None, told)), width="content")


def _read_so_far() -> str:
    """In how many pictures details and text, as far as this search uses them, have been read; empty if in all."""
    try:
        gallery = shared_engine().gallery()
    except IndexProblem:
        return ""
    return " · ".join(filter(None, [_details_so_far(gallery), _text_so_far(gallery)]))


def _details_so_far(gallery: Gallery) -> str:
    wave, total = gallery.manifest.wave, gallery.manifest.counts.images
    if wave is None or not wave.without_keypoints or search_state().request.ranking != "best":
        return ""
    return f"Details have been found in {_percent(total - wave.without_keypoints, total)} of the pictures so far"


def _text_so_far(gallery: Gallery) -> str:
    request, text = search_state().request, text_facts(gallery)
    if (not request.words and request.ranking != "best") or text is None or text.read >= text.total:
        return ""
    return f"Text has been read in {_percent(text.read, text.total)} of the pictures so far"


def _percent(part: int, total: int) -> str:
    return f"{100 * part // total} %"
