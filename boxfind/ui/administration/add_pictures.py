"""Add pictures: administrators put files into a folder of the gallery, then the index is updated."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from boxfind.export.file_names import file_name
from boxfind.logs import log
from boxfind.ui.authorization import require_admin
from boxfind.ui.build_panel import running_build, start_build
from boxfind.ui.session import shared_engine
from boxfind.ui.upload_limits import TYPES, UPLOAD_MB, limits_in_words
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from index.operations.add_images import ADDED, AlreadyThere, ImageAdder, checked_folder
from retrieval.errors import BoxfindError, Busy, GalleryProblem, UnreadableImage
from retrieval.printable_names import shown

TOP = ""
"""The gallery itself, as a folder to add pictures to."""
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


def add_pictures(gallery: Gallery | None) -> None:
    """Show the upload form and the report of the last upload. `gallery` is None while there is no index."""
    st.markdown(
        "Files are stored unchanged. Existing files are never overwritten. The index is updated after the upload."
    )
    if shared_engine().settings.is_sample:
        st.caption("This is the sample gallery. A later version of Boxfind may recreate it without your pictures.")
    with st.form("add pictures", clear_on_submit=True, border=False):
        folder = _folder_field(gallery)
        label = "Pictures to add: choose files or drop them here"
        about = limits_in_words(shared_engine().settings.source_limits)
        uploads = st.file_uploader(label, type=TYPES, accept_multiple_files=True, max_upload_size=UPLOAD_MB, help=about)
        pressed = st.form_submit_button("Add to the gallery", type="primary", icon=":material/add_photo_alternate:")
    if pressed and uploads:
        try:
            _add(gallery, uploads, folder)
        except BoxfindError as error:
            st.error(plain(str(error)), icon=":material/block:")
            return
        st.rerun()  # rerun the whole page, so that it shows the build
    if REPORT in st.session_state:
        _show_report(st.session_state[REPORT])


def _folder_field(gallery: Gallery | None) -> str:
    """The folder to add the pictures to, relative to the gallery; a new one may be typed."""
    known = [ADDED, TOP, *filter(_is_valid, gallery.folders())] if gallery else [TOP]
    chosen: str | None = st.selectbox(
        "Folder of the gallery: choose one, or type the name of a new one",
        list(dict.fromkeys(known)),
        format_func=lambda folder: shown(folder) if folder else "The gallery folder itself",
        accept_new_options=True,
        width=420,
    )
    return (chosen or TOP).strip().strip("/")


def _is_valid(folder: str) -> bool:
    try:
        return checked_folder(folder) == folder
    except GalleryProblem:
        return False


def _add(gallery: Gallery | None, uploads: Sequence[UploadedFile], folder: str) -> None:
    """Add the files to the folder one by one, then start a build. Raises NotAllowed, GalleryProblem, IndexProblem."""
    who, engine = require_admin(), shared_engine()
    settings = engine.settings
    adder = ImageAdder(settings.gallery_dir, gallery, engine.visitor_pictures.read, settings.gallery_rules, folder)
    added, rejected, bar = 0, list[str](), st.progress(0.0)
    try:
        for number, upload in enumerate(uploads, start=1):
            bar.progress(number / len(uploads), f"Adding {number:,} of {len(uploads):,}")
            stem, dot, suffix = upload.name.rpartition(".")
            try:
                adder.take(file_name(stem, dot + suffix), upload.getvalue())
                added += 1
            except (UnreadableImage, AlreadyThere, Busy) as error:
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
