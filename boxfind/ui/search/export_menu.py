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
from boxfind.ui.search.search_state import image_of, is_stored, open_search, search_state
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from retrieval.errors import BoxfindError
from retrieval.request import Request
from retrieval.types import Hit


def export_menu(gallery: Gallery, hits: Sequence[Hit]) -> None:
    """Show the menu. Files are built on download."""
    menu = st.popover("Export", icon=":material/download:", on_change="rerun", key="export")
    if not menu.open:
        return
    with menu:
        shown = [hit for _, hit in shown_of(hits)]
        st.caption(
            f"Exports the {counted(len(shown), 'result')} shown, with boxes. Pictures contain no camera metadata."
        )
        result = _search_result(gallery, search_state().request, shown)
        for name, kind in FORMATS.items():
            st.download_button(
                name,
                partial(kind.write, result),
                file_name(result.title, kind.suffix),
                kind.mime,
                key=f"export {name}",
                help=kind.help,
                icon=":material/download:",
                on_click="ignore",
                width="stretch",
            )
        if result.link:
            st.caption("A link to this search:")
            st.code(result.link, language=None, wrap_lines=True)
        else:
            st.caption("No link to this search: its picture is not in the gallery. Save the search to get a link.")


def open_link(gallery: Gallery) -> None:
    """Restore the search encoded in the page address, once."""
    params = {name: st.query_params.get_all(name) for name in st.query_params}
    if not {"box", "words"} & params.keys() or st.session_state.get("opened link") == params:
        return
    st.session_state["opened link"] = params
    try:
        open_search(from_params(params), gallery)
    except BoxfindError as error:
        st.warning(plain(str(error)), icon=":material/link_off:")


def _search_result(gallery: Gallery, request: Request, hits: Sequence[Hit]) -> SearchResult:
    query = box = None
    for example in request.wanted[:1]:
        with suppress(BoxfindError):
            query, box = image_of(example.picture, gallery), example.box
    link = ""
    if all(is_stored(example.picture, gallery) for example in request.examples):
        link = f"{(st.context.url or '').partition('?')[0]}?{urlencode(to_params(request), doseq=True)}"
    return SearchResult(title_of(request, gallery), tuple(hits), gallery, query, box, link)
