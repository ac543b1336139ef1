"""Sources of the query picture: file upload, clipboard, camera or sample."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from boxfind.ui.search.search_state import search_state
from boxfind.ui.session import Picture, shared_engine
from retrieval.errors import UnreadableImage
from retrieval.images.decode import read_file
from retrieval.images.limits import SUFFIXES

TYPES = [suffix.removeprefix(".") for suffix in SUFFIXES]
STAYS = "The picture stays in memory. It is stored only if you save the search."


def query_source() -> None:
    """Let the visitor choose a picture. The sample gallery starts with its first sample."""
    samples = _sample_files()
    if samples and not search_state().shown:
        _take(samples[0])
    sources = [name for name in SOURCES if name != "Sample" or samples]
    chosen = st.segmented_control(
        "Picture source",
        sources,
        default=sources[0],
        required=True,
        key="source",
        persist_state="session",
        label_visibility="collapsed",
        width="stretch",
    )
    SOURCES[chosen or sources[0]]()


def _file() -> None:
    st.file_uploader(
        "Your picture: choose a file or drop it here",
        type=TYPES,
        key="upload",
        on_change=_take_given,
        args=["upload"],
        help=STAYS,
    )


def _clipboard() -> None:
    st.chat_input(
        "Paste a picture here, then press Enter",
        accept_file=True,
        file_type=TYPES,
        key="paste",
        on_submit=_take_pasted,
    )
    st.caption("Copy a picture or a part of your screen, click the field and paste.")


def _camera() -> None:
    st.camera_input("Take a photo", key="camera", on_change=_take_given, args=["camera"], help=STAYS)


def _sample() -> None:
    st.selectbox(
        "Sample picture",
        _sample_files(),
        index=None,
        format_func=_title,
        key="sample",
        on_change=_take_sample,
        placeholder="Choose a sample",
        label_visibility="collapsed",
    )


SOURCES: dict[str, Callable[[], None]] = {"File": _file, "Clipboard": _clipboard, "Camera": _camera, "Sample": _sample}


def _take_given(widget: str) -> None:
    given = st.session_state.get(widget)
    if given is not None:
        search_state().show(Picture(given.name, given.getvalue()))


def _take_pasted() -> None:
    given = st.session_state.get("paste")
    if given is not None and given.files:
        search_state().show(Picture(given.files[0].name, given.files[0].getvalue()))


def _take_sample() -> None:
    chosen = st.session_state.get("sample")
    if chosen is not None:
        _take(chosen)


def _take(sample: Path) -> None:
    try:
        search_state().show(Picture(_title(sample), read_file(sample)))
    except UnreadableImage:  # the file was deleted while the server runs
        st.toast("This sample can no longer be opened. Choose another picture.", icon=":material/warning:")


def _sample_files() -> list[Path]:
    settings = shared_engine().settings
    return sorted((settings.sample_folder / "queries").glob("*.jpg")) if settings.is_sample else []


def _title(sample: Path) -> str:
    return sample.stem.replace("-", " ").capitalize()
