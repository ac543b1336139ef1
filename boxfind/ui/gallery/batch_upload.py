"""Batch upload: administrators add picture files to the gallery, then the index is updated."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from boxfind.export.file_names import file_name
from boxfind.logs import log
from boxfind.ui.authorization import require_admin
from boxfind.ui.build_panel import running_build, start_build
from boxfind.ui.search.query_source import TYPES
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from index.operations.add_images import ADDED, AlreadyThere, ImageAdder
from retrieval.errors import BoxfindError, UnreadableImage

REPORT = "upload report"
"""The session key of the report of the last upload."""
MOST = 20
"""Maximum number of rejected files listed by name."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of an upload: the number of added files, and a message for each rejected file."""

    added: int
    rejected: tuple[str, ...]
    late: bool
    """Whether a build was already running, which may have missed the files."""


def batch_upload(gallery: Gallery) -> None:
    """Show the upload form and the report of the last upload."""
    st.markdown(
        f"Files are stored unchanged in the gallery folder `{ADDED}`. Existing files are never overwritten. "
        "The index is updated after the upload."
    )
    if shared_engine().settings.is_sample:
        st.caption("This is the sample gallery. A later version of Boxfind may recreate it without your pictures.")
    with st.form("add pictures", clear_on_submit=True, border=False):
        label = "Pictures to add: choose files or drop them here"
        uploads = st.file_uploader(label, type=TYPES, accept_multiple_files=True)
        pressed = st.form_submit_button("Add to the gallery", type="primary", icon=":material/add_photo_alternate:")
    if pressed and uploads:
        try:
            _add(gallery, uploads)
        except BoxfindError as error:
            st.error(plain(str(error)), icon=":material/block:")
            return
        st.rerun()  # rerun the whole page, so that the sidebar shows the build
    if REPORT in st.session_state:
        _show_report(st.session_state[REPORT])


def _add(gallery: Gallery, uploads: Sequence[UploadedFile]) -> None:
    """Add the files to the gallery one by one, then start a build. Raises NotAllowed, IndexProblem."""
    who, engine = require_admin(), shared_engine()
    adder = ImageAdder(engine.settings.gallery_dir, gallery, engine.read_picture)
    added, rejected, bar = 0, list[str](), st.progress(0.0)
    try:
        for number, upload in enumerate(uploads, start=1):
            bar.progress(number / len(uploads), f"Adding {number:,} of {len(uploads):,}")
            stem, dot, suffix = upload.name.rpartition(".")
            try:
                adder.take(file_name(stem, dot + suffix), upload.getvalue())
                added += 1
            except (UnreadableImage, AlreadyThere) as error:
                rejected.append(str(error))
            except BoxfindError as error:  # the remaining files would fail too
                left = len(uploads) - number + 1
                rejected.append(f"{error} {left:,} of {counted(len(uploads), 'file')} not added.")
                break
    finally:  # runs even if the visitor leaves the page
        log.info("%d of %d files added to the gallery by %s.", added, len(uploads), who)
        st.session_state[REPORT] = Report(added, tuple(rejected), late=running_build(engine) is not None)
        if added:
            start_build()


def _show_report(report: Report) -> None:
    summary = f"{counted(report.added, 'picture')} added" if report.added else "No pictures added"
    if report.added and report.late:
        summary += ". A build was already running and may have missed some: press Update index when it is done"
    elif report.added and running_build(shared_engine()):
        summary += ". The index is being updated"
    if not report.rejected:
        st.success(f"{summary}.", icon=":material/check:")
        return
    rejected = [f"- {plain(sentence)}" for sentence in report.rejected[:MOST]]
    if len(report.rejected) > MOST:
        rejected.append(f"- and {len(report.rejected) - MOST:,} more")
    st.warning("\n".join([f"{summary}. Not added:", "", *rejected]), icon=":material/warning:")
