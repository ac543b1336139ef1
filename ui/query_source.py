"""Where the picture to search with comes from: a file of the visitor's, or a sample."""

from pathlib import Path

import streamlit as st

from retrieval.images import SUFFIXES
from ui.session import Picture, query_picture, search_with, search_with_file, shared_engine


def query_source() -> Picture | None:
    """Offers the ways to choose a picture; the one chosen, here or on another page, or None."""
    samples = _sample_files()
    if query_picture() is None and samples:
        search_with_file(samples[0], _title(samples[0]))
    st.file_uploader(
        "Your picture",
        type=[suffix.removeprefix(".") for suffix in SUFFIXES],
        key="upload",
        on_change=_take_upload,
        help="It stays in memory and is never stored.",
    )
    if samples:
        st.selectbox(
            "or a sample picture",
            samples,
            index=None,
            format_func=_title,
            key="sample",
            on_change=_take_sample,
            placeholder="Choose a sample",
        )
    return query_picture()


def _take_upload() -> None:
    upload = st.session_state.get("upload")
    if upload is not None:
        st.session_state["sample"] = None
        search_with(Picture(upload.name, upload.getvalue()))


def _take_sample() -> None:
    chosen = st.session_state.get("sample")
    if chosen is not None:
        search_with_file(chosen, _title(chosen))


def _sample_files() -> list[Path]:
    settings = shared_engine().settings
    return sorted((settings.sample_folder / "queries").glob("*.jpg")) if settings.is_sample else []


def _title(sample: Path) -> str:
    return sample.stem.replace("-", " ").capitalize()
