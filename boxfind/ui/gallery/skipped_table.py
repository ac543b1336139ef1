"""Table of skipped gallery files with the reasons."""

import streamlit as st

from boxfind.ui.widgets.counted import counted
from index.gallery import Gallery
from index.storage.generation import read_skipped
from index.storage.skipped_files import skipped_csv
from retrieval.printable_names import printable


def skipped_button(gallery: Gallery) -> None:
    """A button that opens the table; hidden if no file was skipped."""
    count = gallery.manifest.counts.skipped
    if count and st.button(f"{counted(count, 'file')} skipped", icon=":material/rule:", type="tertiary"):
        _skipped_table(gallery)


@st.dialog("Skipped files", width="large")
def _skipped_table(gallery: Gallery) -> None:
    skipped = read_skipped(gallery.folder)
    st.dataframe(
        {
            "File": [printable(entry.file) for entry in skipped],
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
