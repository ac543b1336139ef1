"""Resources shared by all sessions: engine, saved searches, decoded pictures and cached search results."""

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from boxfind.engine import Engine
from boxfind.logs import log
from boxfind.searches.saved_searches import SavedSearches
from boxfind.settings import BadSetting, Settings
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from retrieval.request import Request
from retrieval.types import Hit, Image

MOST = 100
"""Number of hits per search; visitors choose how many are shown."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A query picture: its display name and the original bytes of its file."""

    name: str
    data: bytes

    @property
    def key(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@st.cache_resource(show_spinner=False)
def shared_engine() -> Engine:
    """The engine of this process; all sessions share its model and index."""
    return Engine(Settings.load())


def require_settings() -> None:
    """Show an error instead of the page if a setting is invalid.

    The message may contain paths: only `local` shows it on the page, everywhere else it is in the log.
    """
    try:
        shared_engine()
    except BadSetting as problem:
        log.error("%s", problem)
        local = os.environ.get("BOXFIND_ADMIN") == "local"
        shown = plain(str(problem)) if local else "a setting is invalid; the log of this program says which."
        st.error(f"Boxfind cannot start: {shown}", icon=":material/error:")
        st.stop()


@st.cache_resource(show_spinner=False)
def saved_search_store() -> SavedSearches:
    return SavedSearches(shared_engine().settings.searches_file)


@st.cache_resource(max_entries=12, show_spinner="Opening the picture…")
def decoded(key: str, _picture: Picture) -> Image:
    """The pixels of a picture (H, W, 3), read-only and cached. Raises UnreadableImage."""
    image = shared_engine().read_picture(_picture.data, _picture.name)
    image.setflags(write=False)
    return image


@st.cache_data(max_entries=256, show_spinner=False)
def find(generation: str, request: Request, _gallery: Gallery, _images: Mapping[str, Image]) -> tuple[list[Hit], float]:
    """The hits of a request and the seconds they took; cached per generation and request."""
    began = time.perf_counter()
    hits = shared_engine().answer(_gallery, request, _images, MOST)
    return hits, time.perf_counter() - began
