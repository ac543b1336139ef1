"""A note on the Gallery page about files that are not in the index."""

import streamlit as st

from boxfind.ui.authorization import is_admin
from boxfind.ui.session import BY_GENERATION
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from index.storage.skipped_files import missing_packages, needs_package, read_skipped, unread_formats
from retrieval.images.file_kinds import UNREAD


def skipped_note(gallery: Gallery) -> None:
    """Say how many files are not in the index, and why. Administrators also see what is left out on purpose."""
    sentences = [_sentence(gallery)]
    if is_admin():
        sentences += [*_missing(gallery), plain(gallery.manifest.left_out)]
    if any(sentences):
        st.caption(" ".join(filter(None, sentences)))


@st.cache_data(max_entries=8, show_spinner=False, hash_funcs=BY_GENERATION)
def _missing(gallery: Gallery) -> list[str]:
    """A sentence for each missing package that would read skipped files."""
    return [plain(sentence) for sentence in missing_packages(read_skipped(gallery.folder))]


@st.cache_data(max_entries=8, show_spinner=False, hash_funcs=BY_GENERATION)
def _sentence(gallery: Gallery) -> str:
    skipped = read_skipped(gallery.folder)
    unread = plain(unread_formats(skipped))
    others = len(skipped) - sum(file.reason == UNREAD and not needs_package(file) for file in skipped)
    parts = [f"pictures in formats that Boxfind cannot read yet ({unread}; convert them to JPEG)"] if unread else []
    parts += [counted(others, "other file" if unread else "file")] if others else []
    if not parts:
        return ""
    button = f"{counted(gallery.manifest.counts.skipped, 'file')} skipped"
    return f"Not in the index: {' and '.join(parts)}. *{button}* in the sidebar lists them with the reasons."
