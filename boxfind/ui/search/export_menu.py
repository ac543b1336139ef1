"""Export menu: results as files, with the address of the search."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from urllib.parse import urlencode

import streamlit as st

from boxfind.export.formats import COLLECTIONS_FORMATS, FORMATS, Exported, Format, file_name
from boxfind.export.search_result import SearchResult
from boxfind.export.several_collections import SeveralCollectionsResult
from boxfind.searches.link import to_params
from boxfind.ui.authorization import is_admin
from boxfind.ui.collection_choice import collection_to_share
from boxfind.ui.originals_download import originals_download
from boxfind.ui.search.kept_pictures import HOURS
from boxfind.ui.search.result_filter import shown_of
from boxfind.ui.search.search_history import title_of
from boxfind.ui.search.search_state import image_of, is_stored, search_state
from boxfind.ui.widgets.counted import counted
from index.gallery import Gallery
from retrieval.errors import BoxfindError
from retrieval.images.decode import LoadedImage
from retrieval.request import Request
from retrieval.types import Box, Hit

LASTING = "To share this search, copy the address of this page."
PASSING = f"The address of this page opens this search for {HOURS} more hours, since its picture is an upload."
ONE_COLLECTION = "COCO, crops, contact sheets and originals are exported from one collection: choose it in the sidebar."
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
        request = search_state().request
        title, link = title_of(request, gallery), _link(request, gallery)
        _downloads(FORMATS, SearchResult(title, tuple(shown), gallery, *_query(request, gallery), link), title)
        originals_download(gallery, [hit.image for hit in shown], title)
        st.caption(LASTING if link else PASSING + (SAVING if is_admin() else ""))


def export_menu_of_all(gallery: Gallery, request: Request, hits: Sequence[tuple[str, Gallery, Hit]]) -> None:
    """Show the menu for hits of all collections, each with the name and the gallery of its collection.

    `gallery` is the one that the query is from.
    """
    menu = st.popover("Export", icon=":material/download:", on_change="rerun", key="export")
    if not menu.open:
        return
    with menu:
        st.caption(f"Exports the {counted(len(hits), 'result')} shown, with boxes and the name of the collection.")
        title, link = title_of(request, gallery), _link(request, gallery)
        result = SeveralCollectionsResult(title, tuple(hits), *_query(request, gallery), link)
        _downloads(COLLECTIONS_FORMATS, result, title)
        st.caption(ONE_COLLECTION)
        st.caption(LASTING if link else PASSING)


def _downloads(formats: Mapping[str, Format[Exported]], result: Exported, title: str) -> None:
    for name, kind in formats.items():
        st.download_button(
            name,
            partial(kind.write, result),
            file_name(title, kind.suffix),
            kind.mime,
            key=f"export {name}",
            help=kind.help,
            icon=":material/download:",
            on_click="ignore",
            width="stretch",
        )


def _query(request: Request, gallery: Gallery) -> tuple[LoadedImage | None, Box | None]:
    """The first query picture and the box on it; None for a search by words, or if it is no longer available."""
    for example in request.wanted[:1]:
        with suppress(BoxfindError):
            return image_of(example.picture, gallery), example.box
    return None, None


def _link(request: Request, gallery: Gallery) -> str:
    """An address that opens the search in this collection; empty if one of its pictures is an upload."""
    if not all(is_stored(example.picture, gallery) for example in request.examples):
        return ""
    params = to_params(request) | collection_to_share()
    return f"{(st.context.url or '').partition('?')[0]}?{urlencode(params, doseq=True)}"
