"""The files of the gallery that are not in the index, and why."""

import streamlit as st

from index.gallery import Gallery
from index.storage.generation import read_skipped
from index.storage.skipped_files import skipped_csv
from retrieval.printable_names import printable


def skipped_button(gallery: Gallery) -> None:
    """Opens the table; nothing where every file could be used."""
    count = gallery.manifest.counts.skipped
    if count and st.button(_title(count), icon=":material/rule:", type="tertiary"):
        skipped_table(gallery)


@st.dialog("Files that could not be used", width="large")
def skipped_table(gallery: Gallery) -> None:
    skipped = read_skipped(gallery.folder)
    st.dataframe(
        {
            "File": [printable(entry.file) for entry in skipped],
            "Reason": [entry.reason for entry in skipped],
            "What is wrong": [printable(entry.sentence) for entry in skipped],
        },
        hide_index=True,
        alt="Files that are not in the index, with the reason",
    )
    st.download_button(
        "Download as CSV",
        skipped_csv(skipped).encode("utf-8-sig"),  # with the mark that spreadsheets look for
        "skipped.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _title(count: int) -> str:
    return "1 file could not be used" if count == 1 else f"{count:,} files could not be used"
