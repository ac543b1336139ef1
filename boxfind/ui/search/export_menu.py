"""Export menu: results as files, and a link that restores the search."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from urllib.parse import urlencode

import streamlit as st

from boxfind.export.formats import FORMATS, file_name
from boxfind.export.search_result import SearchResult
from boxfind.searches.link import from_params, to_params
from boxfind.ui.search.results import shown_of
from boxfind.ui.search.search_history import title_of
from boxfind.ui.search.search_state import image_of, search_state
from boxfind.ui.session import saved_search_store
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from retrieval.errors import BoxfindError
from retrieval.request import Request
from retrieval.types import Box, Hit, Image


def export_menu(gallery: Gallery, hits: Sequence[Hit]) -> None:
    """Show the menu. Files are built on download."""
    menu = st.popover("Export", icon=":material/download:", on_change="rerun", key="take away")
    if not menu.open:
        return
    with menu:
        request = search_state().request
        shown = [hit for _, hit in shown_of(hits)]
        st.caption(
            f"Exports the {counted(len(shown), 'result')} shown, with boxes. Pictures contain no camera metadata."
        )
        answer = _answer(gallery, request, shown)
        for name, kind in FORMATS.items():
            st.download_button(
                name,
                partial(kind.write, answer),
                file_name(answer.title, kind.suffix),
                kind.mime,
                key=f"take {name}",
                help=kind.help,
                icon=":material/download:",
                on_click="ignore",
                width="stretch",
            )
        if answer.link:
            st.caption("A link to this search:")
            st.code(answer.link, language=None, wrap_lines=True)
        else:
            st.caption("No link to this search: its picture is not in the gallery. Save the search to get a link.")


def open_link(gallery: Gallery) -> None:
    """Restore the search encoded in the page address, once."""
    params = {name: st.query_params.get_all(name) for name in st.query_params}
    if not {"box", "words"} & params.keys() or st.session_state.get("followed") == params:
        return
    st.session_state["followed"] = params
    try:
        request = from_params(params)
        for example in request.examples:
            image_of(example.picture, gallery)
    except BoxfindError as error:
        st.warning(plain(str(error)), icon=":material/link_off:")
        return
    search_state().ask(request)
    search_state().reopen()


def link_to(request: Request, gallery: Gallery) -> str:
    """The address that restores a search; empty if other visitors cannot open its pictures."""
    keys = {example.picture for example in request.examples}
    if any(not gallery.tables.with_contents(key) and saved_search_store().picture(key) is None for key in keys):
        return ""
    return f"{(st.context.url or '').partition('?')[0]}?{urlencode(to_params(request), doseq=True)}"


def _answer(gallery: Gallery, request: Request, hits: Sequence[Hit]) -> SearchResult:
    query: Image | None = None
    box: Box | None = None
    for asked in request.wanted[:1]:
        with suppress(BoxfindError):
            query, box = image_of(asked.picture, gallery), asked.box
    return SearchResult(title_of(request, gallery), tuple(hits), gallery, query, box, link_to(request, gallery))
