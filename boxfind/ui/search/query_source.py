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
STORAGE = "The picture stays in memory. It is stored only if you save the search."


def query_source() -> None:
    """Let the visitor choose a picture. The sample gallery starts with its first sample."""
    samples = _sample_files()
    if samples and not search_state().shown:
        _show_sample(samples[0])
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
    label = "Your picture: choose a file or drop it here"
    st.file_uploader(label, type=TYPES, key="upload", on_change=_show_given, args=["upload"], help=STORAGE)


def _clipboard() -> None:
    st.chat_input(
        "Paste a picture here, then press Enter",
        accept_file=True,
        file_type=TYPES,
        key="paste",
        on_submit=_show_given,
        args=["paste"],
    )
    st.caption("Copy a picture or part of your screen, click the field, and paste.")


def _camera() -> None:
    st.camera_input("Take a photo", key="camera", on_change=_show_given, args=["camera"], help=STORAGE)


def _sample() -> None:
    st.selectbox(
        "Sample picture",
        _sample_files(),
        index=None,
        format_func=_title,
        key="sample",
        on_change=lambda: _show_sample(st.session_state["sample"]),
        placeholder="Choose a sample",
        label_visibility="collapsed",
    )


SOURCES: dict[str, Callable[[], None]] = {"File": _file, "Clipboard": _clipboard, "Camera": _camera, "Sample": _sample}


def _show_given(widget: str) -> None:
    given = st.session_state[widget]
    for file in getattr(given, "files", [given]):  # a chat input has a list of files
        if file is not None:
            search_state().show(Picture(file.name, file.getvalue()))


def _show_sample(sample: Path | None) -> None:
    if sample is None:
        return
    try:
        search_state().show(Picture(_title(sample), read_file(sample)))
    except UnreadableImage:  # the file was deleted while the server runs
        st.toast("This sample can no longer be opened. Choose another picture.", icon=":material/warning:")


def _sample_files() -> list[Path]:
    settings = shared_engine().settings
    return sorted((settings.sample_folder / "queries").glob("*.jpg")) if settings.is_sample else []


def _title(sample: Path) -> str:
    return sample.stem.replace("-", " ").capitalize()
