"""Sources of the query picture: file upload, clipboard, camera or sample."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from boxfind.ui.search.kept_pictures import HOURS
from boxfind.ui.search.query_place import opened
from boxfind.ui.search.search_state import search_state
from boxfind.ui.session import Picture, shared_engine
from boxfind.ui.upload_limits import TYPES, UPLOAD_MB, limits_in_words
from boxfind.ui.widgets.safe_text import plain
from retrieval.errors import BoxfindError, UnreadableImage
from retrieval.images.decode import read_file

STORAGE = (
    f"The file is kept until {HOURS} hours after its last use; the address of the page opens it until then. "
    "A picture is stored only if you save the search."
)
PROBLEM = "query problem"
"""Session key: why the file that was given last cannot be read."""
UPLOADS = "uploads"
"""The session key of the number of uploads."""


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
    problem = st.session_state.pop(PROBLEM, "")
    if problem:
        st.error(plain(problem), icon=":material/error:")


def _file() -> None:
    label, key = "Your picture: choose a file or drop it here", _key_of("upload")
    st.file_uploader(
        label,
        type=TYPES,
        max_upload_size=UPLOAD_MB,
        key=key,
        on_change=_show_given,
        args=[key],
        help=f"{limits_in_words(shared_engine().settings.source_limits)} {STORAGE}",
    )


def _clipboard() -> None:
    st.chat_input(
        "Paste a picture here, then press Enter",
        accept_file=True,
        file_type=TYPES,
        max_upload_size=UPLOAD_MB,
        key="paste",
        on_submit=_show_given,
        args=["paste"],
    )
    st.caption("Copy a picture or part of your screen, click the field, and paste.")


def _camera() -> None:
    key = _key_of("camera")
    st.camera_input("Take a photo", key=key, on_change=_show_given, args=[key], help=STORAGE)


def _sample() -> None:
    st.selectbox(
        "Sample picture",
        _sample_files(),
        index=None,
        format_func=_title,
        key="sample",
        on_change=_show_chosen_sample,
        placeholder="Choose a sample",
        label_visibility="collapsed",
    )


SOURCES: dict[str, Callable[[], None]] = {"File": _file, "Clipboard": _clipboard, "Camera": _camera, "Sample": _sample}


def _show_given(widget: str) -> None:
    given = st.session_state[widget]
    for file in getattr(given, "files", [given]):  # a chat input has a list of files
        if isinstance(file, UploadedFile):  # a browser may still send one that was removed
            _show(file.name, file.getvalue())
            _empty(file)


def _show(name: str, data: bytes) -> None:
    """Put a file on the canvas; of a document its first page. The page says why it cannot be read."""
    st.session_state.pop(PROBLEM, None)
    try:
        search_state().show(opened(name, data))
    except BoxfindError as problem:
        st.session_state[PROBLEM] = str(problem)


def _key_of(widget: str) -> str:
    """The key of an upload widget. A new one empties it, so that it never shows a picture that is not searched."""
    version = st.session_state.setdefault(UPLOADS, 0)
    return f"{widget} {version}"


def _empty(file: UploadedFile) -> None:
    """Empty the upload widgets. Streamlit would keep a second copy of the file until the visit ends."""
    st.session_state[UPLOADS] += 1
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)


def _show_chosen_sample() -> None:
    _show_sample(st.session_state["sample"])
    st.session_state["sample"] = None  # another picture may be searched later


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
