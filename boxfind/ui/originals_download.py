"""Download buttons for the original files of several pictures, for administrators."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from boxfind.export.file_names import file_name
from boxfind.export.originals import MOST_BYTES, PART_BYTES, originals_zip, parts, total_bytes
from boxfind.fair_turns import FairTurns
from boxfind.logs import log
from boxfind.ui.authorization import current_admin
from boxfind.ui.session import visiting_client
from boxfind.ui.widgets.counted import counted
from index.gallery import Gallery
from index.storage.disk_space import file_size

ZIPS = FairTurns(1)
"""Turns to make a ZIP file, which is in memory."""


def originals_download(gallery: Gallery, images: Sequence[str], title: str) -> None:
    """Show buttons that download the originals of these pictures as ZIP files named by the title.

    Other visitors see nothing: originals hold what the camera has written into them.
    """
    who = current_admin()
    if who is None or not images:
        return
    total = total_bytes(gallery, images)
    if total > MOST_BYTES:
        limit = f"at most {file_size(MOST_BYTES)} can be downloaded. Choose fewer pictures."
        st.caption(f"Originals: these pictures have {file_size(total)} together; {limit}")
        return
    help_text = (
        f"The unchanged files, with their camera and location data: at most {file_size(MOST_BYTES)}, in ZIP files of "
        f"up to {file_size(PART_BYTES)}."
    )
    divided = parts(gallery, images)
    for number, part in enumerate(divided, start=1):
        which, suffix = (f", part {number} of {len(divided)}", f"-{number}.zip") if len(divided) > 1 else ("", ".zip")
        st.download_button(
            f"Originals{which} ({file_size(total_bytes(gallery, part))})",
            partial(_zip, gallery, part, who, visiting_client()),
            file_name(title, f"-originals{suffix}"),
            "application/zip",
            key=f"originals {number}",
            help=help_text,
            icon=":material/download:",
            on_click="ignore",
            width="stretch",
        )


def _zip(gallery: Gallery, images: Sequence[str], who: str, client: str) -> bytes:
    """The ZIP file of these originals. Raises Busy."""
    with ZIPS.hold(client):
        log.info("The originals of %s were downloaded by %s.", counted(len(images), "picture"), who)
        return originals_zip(gallery, images)
