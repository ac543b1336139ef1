"""Pictures that administrators put into the gallery from the page: many files at once, and the index follows."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from boxfind.export.file_names import file_name
from boxfind.logs import log
from boxfind.ui.authorization import require_admin
from boxfind.ui.build_panel import start_build
from boxfind.ui.search.query_source import TYPES
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from index.operations.add_images import ADDED, AlreadyThere, ImageAdder
from retrieval.errors import BoxfindError, UnreadableImage

BATCH, WAITING, REPORT = "upload batch", "uploads waiting", "upload report"
"""In the session: how often the field was emptied, what was in it, and what became of that."""
MOST = 20
"""Files that are named, of those that were left out."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of some uploads: how many were added, and a sentence for each that was not."""

    added: int
    left_out: tuple[str, ...]
    late: bool
    """A build was already running, and may have passed them by."""


def batch_upload(gallery: Gallery) -> None:
    """Offers administrators to add files, and says how the last ones fared."""
    st.markdown(
        f"The files are kept as they are, in the folder `{ADDED}` of the gallery; what lies there already is never "
        "overwritten. The index is brought up to date when they are in."
    )
    if shared_engine().settings.is_sample:
        st.caption("This is the sample gallery: a later version of this program may draw it anew, without them.")
    uploads = st.file_uploader(
        "Pictures to add: choose files or drop them here",
        type=TYPES,
        accept_multiple_files=True,
        key=f"add {st.session_state.setdefault(BATCH, 0)}",
    )
    st.button(
        "Add to the gallery",
        type="primary",
        icon=":material/add_photo_alternate:",
        disabled=not uploads,
        on_click=_hand_over,
        args=[uploads],
    )
    waiting = st.session_state.pop(WAITING, None)
    if waiting:
        try:
            _add(gallery, waiting)
        except BoxfindError as error:
            st.error(plain(str(error)), icon=":material/block:")
            return
        st.rerun()  # the whole page: the sidebar follows the build
    if REPORT in st.session_state:
        _told(st.session_state[REPORT])


def _hand_over(uploads: Sequence[UploadedFile]) -> None:
    """Empties the field at once, so that nothing is added twice by a second click."""
    st.session_state[WAITING] = uploads
    st.session_state[BATCH] += 1


def _add(gallery: Gallery, uploads: Sequence[UploadedFile]) -> None:
    """Puts them into the gallery one after the other and has the index built. Raises NotAllowed, IndexProblem."""
    who, engine = require_admin(), shared_engine()
    adder = ImageAdder(engine.settings.gallery_dir, gallery, engine.read_picture)
    added, left_out, bar = 0, list[str](), st.progress(0.0)
    try:
        for number, upload in enumerate(uploads, start=1):
            bar.progress(number / len(uploads), f"Adding {number:,} of {len(uploads):,}")
            stem, dot, suffix = upload.name.rpartition(".")
            try:
                adder.take(file_name(stem, dot + suffix), upload.getvalue())
                added += 1
            except (UnreadableImage, AlreadyThere) as error:
                left_out.append(str(error))
            except BoxfindError as error:  # the others would fare no better
                left_out.append(f"{error} {len(uploads) - number + 1:,} of {len(uploads):,} files were not added.")
                break
    finally:  # also when the page is left meanwhile
        log.info("%d of %d files put into the gallery by %s.", added, len(uploads), who)
        st.session_state[REPORT] = Report(added, tuple(left_out), late=_building())
        if added:
            start_build()


def _told(report: Report) -> None:
    words = (
        f"{report.added:,} pictures were" if report.added > 1 else "1 picture was" if report.added else "Nothing was"
    )
    words += " added"
    if report.added and report.late:
        words += ". A build was running already and may have missed some: press Update index once it is done"
    elif report.added and _building():
        words += "; the index is being brought up to date"
    left = [f"- {plain(sentence)}" for sentence in report.left_out[:MOST]]
    if len(report.left_out) > MOST:
        left.append(f"- and {len(report.left_out) - MOST:,} more")
    if left:
        st.warning("\n".join([f"{words}. Left out:", "", *left]), icon=":material/warning:")
    else:
        st.success(f"{words}.", icon=":material/check:")


def _building() -> bool:
    state = shared_engine().build_state()
    return state is not None and state.state == "running"
