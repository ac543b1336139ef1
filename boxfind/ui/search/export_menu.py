"""Export menu: results as files, with the address of the search."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from urllib.parse import urlencode

import streamlit as st

from boxfind.export.formats import FORMATS, file_name
from boxfind.export.search_result import SearchResult
from boxfind.searches.link import to_params
from boxfind.ui.authorization import is_admin
from boxfind.ui.originals_download import originals_download
from boxfind.ui.search.kept_pictures import HOURS
from boxfind.ui.search.result_filter import shown_of
from boxfind.ui.search.search_history import title_of
from boxfind.ui.search.search_state import image_of, is_stored, search_state
from boxfind.ui.widgets.counted import counted
from index.gallery import Gallery
from retrieval.errors import BoxfindError
from retrieval.request import Request
from retrieval.types import Hit

LASTING = "To share this search, copy the address of this page."
PASSING = f"The address of this page opens this search for {HOURS} more hours, since its picture is an upload."
SAVING = " Once the search is saved, its address lasts."


def export_menu(gallery: Gallery, hits: Sequence[Hit]) -> None:
    """Show the menu. Files are built on download."""
    menu = st.popover("Export", icon=":material/download:", on_change="rerun", key="export")
    if not menu.open:
        return
    with menu:
        shown = [hit for _, hit in shown_of(hits)]
        st.caption(
            f"Exports the {counted(len(shown), 'result')} shown, with boxes. "
            "Pictures contain no camera metadata, except originals."
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
        originals_download(gallery, [hit.image for hit in shown], result.title)
        st.caption(LASTING if result.link else PASSING + (SAVING if is_admin() else ""))


def _search_result(gallery: Gallery, request: Request, hits: Sequence[Hit]) -> SearchResult:
    query = box = None
    for example in request.wanted[:1]:
        with suppress(BoxfindError):
            query, box = image_of(example.picture, gallery), example.box
    link = ""
    if all(is_stored(example.picture, gallery) for example in request.examples):
        link = f"{(st.context.url or '').partition('?')[0]}?{urlencode(to_params(request), doseq=True)}"
    return SearchResult(title_of(request, gallery), tuple(hits), gallery, query, box, link)
