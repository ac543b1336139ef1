"""Facts about the served index: its gallery, pictures, model and date, and the files that were skipped."""

import streamlit as st

from boxfind.search_scope import scope_of
from boxfind.ui.authorization import is_admin
from boxfind.ui.error_boundary import error_boundary
from boxfind.ui.place_words import place_in_words
from boxfind.ui.session import BY_GENERATION, shared_engine
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.picture_dialog import dialog_opens
from boxfind.ui.widgets.safe_text import plain
from index.building.read_text import TextProgress, text_progress
from index.gallery import Gallery
from index.storage.folder_scan import Skipped
from index.storage.skipped_files import missing_packages, read_skipped, skipped_csv
from retrieval.printable_names import printable


def folder_names() -> str:
    """The folders of the collection as this visitor may see them: administrators see whole paths."""
    settings = shared_engine().settings
    if settings.is_sample:
        return "Sample gallery"
    folders = (settings.gallery_dir, *settings.more_folders)
    return ", ".join(printable(str(folder) if is_admin() else folder.name) for folder in folders)


def index_facts(gallery: Gallery) -> None:
    """Show the folders of the collection and the facts of its index."""
    manifest = gallery.manifest
    counts, built = manifest.counts, manifest.created.astimezone()
    st.markdown(plain(folder_names()))
    st.markdown(
        f"**{scope_of([gallery]).counts}**, **{counted(counts.regions, 'region')}**  \n"
        f"Model {plain(manifest.recipe.backbone)}  \n"
        f"Built {built:%d %B %Y, %H:%M}"
    )
    text = text_facts(gallery)
    if text is not None:
        st.caption(f"Text read in {text.read:,} of {counted(text.total, 'picture')}")
    if manifest.note:
        st.caption(plain(manifest.note))


def text_facts(gallery: Gallery) -> TextProgress | None:
    """How many pictures have been read for text; None before the first, which may never come."""
    revision = gallery.written_text.revision()
    return _text_read(gallery, revision) if revision else None


@st.cache_data(max_entries=8, show_spinner=False, hash_funcs=BY_GENERATION)
def _text_read(gallery: Gallery, revision: int) -> TextProgress:
    return text_progress(gallery)


def skipped_button(gallery: Gallery) -> None:
    """A button that lists the skipped files; nothing if there are none."""
    skipped = gallery.manifest.counts.skipped
    if skipped and st.button(f"{counted(skipped, 'file')} skipped", icon=":material/rule:", type="tertiary"):
        _skipped_dialog(gallery)


def skipped_table(gallery: Gallery) -> None:
    """List the files that are not in the index, with the reasons and a download."""
    skipped = read_skipped(gallery.folder)
    if not skipped:
        st.caption("Every picture of the folder is in the index.")
        return
    with st.container(key="skipped_files"):
        _table(skipped)


def _table(skipped: list[Skipped]) -> None:
    for sentence in missing_packages(skipped) if is_admin() else []:
        st.info(plain(sentence), icon=":material/extension:")
    st.dataframe(
        {
            "File": [printable(_name(entry)) for entry in skipped],
            "Reason": [entry.reason for entry in skipped],
            "Details": [printable(entry.sentence) for entry in skipped],
        },
        hide_index=True,
        alt="Skipped files with the reasons",
    )
    st.download_button(
        "Download as CSV",
        skipped_csv(skipped).encode("utf-8-sig"),  # spreadsheets expect a byte order mark
        "skipped.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _name(entry: Skipped) -> str:
    """The file, and the page, frame or moment of it that is skipped."""
    return f"{entry.source}, {place_in_words(entry.place)}" if entry.place else entry.file


@st.dialog("Skipped files", width="large")
@error_boundary()
def _skipped_dialog(gallery: Gallery) -> None:
    dialog_opens()
    skipped_table(gallery)
