"""The file of a picture: its facts, download, path and folder."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

import streamlit as st

from boxfind.export.originals import full_size_jpeg, local_time, original_name
from boxfind.logs import log
from boxfind.open_folder import can_open_folders, open_folder
from boxfind.ui.authorization import current_admin, is_local_admin, require_local_admin
from boxfind.ui.error_boundary import errors_as_toasts
from boxfind.ui.place_words import place_in_words, place_of
from boxfind.ui.session import shared_engine, visiting_client
from boxfind.ui.source_route import SAVE, SHOW, source_address
from boxfind.ui.widgets.download import download
from boxfind.ui.widgets.safe_text import plain
from boxfind.ui.widgets.tile_grid import Action
from index.gallery import Gallery
from index.operations.read_original import read_original, source_file
from index.storage.disk_space import file_size
from index.storage.tables import ImageEntry
from retrieval.errors import PictureGone
from retrieval.images.file_kinds import suffix_of
from retrieval.printable_names import printable, shown

DOWNLOAD = Action("download", "Download", "download", "d")
REQUESTED = "requested download"
"""Session key: the id of the picture whose file is to be downloaded."""


@dataclass(frozen=True, slots=True)
class OfferedFile:
    """The file of a picture that a visitor may download. `read` raises PictureGone, Busy or UnreadableImage."""

    label: str
    name: str
    mime: str
    read: Callable[[], bytes]
    about: str


def file_menu(gallery: Gallery, image: str) -> None:
    """Show the menu. Only local administrators see the path of the file."""
    menu = st.popover("File", icon=":material/draft:", on_change="rerun", key="file menu")
    if not menu.open:
        return
    with menu:
        st.caption(plain(facts(gallery.entry(image))))
        try:
            _check(gallery, image)
        except PictureGone as problem:
            st.caption(plain(str(problem)))
        else:
            file = _offered(gallery, image)
            st.download_button(
                file.label,
                file.read,
                file.name,
                file.mime,
                key="download file",
                icon=":material/download:",
                on_click="ignore",
                help=file.about,
            )
            _document(gallery, gallery.entry(image))
        if is_local_admin():
            _path(gallery, image)


def _check(gallery: Gallery, image: str) -> None:
    """Raises PictureGone if the file is gone or has changed. A page or moment is not read for that."""
    if gallery.entry(image).place:
        source_file(gallery, image)
    else:
        read_original(gallery, image)


def _document(gallery: Gallery, entry: ImageEntry) -> None:
    """Links to the file that a page or moment is from: PDF files open at the page; administrators get any file."""
    name, place = PurePosixPath(entry.source).name, place_of(entry)
    if place and suffix_of(name) == ".pdf":
        address = f"{source_address(gallery, entry.image, SHOW)}#{place}"
        st.link_button(f"Open at {place_in_words(place)}", address, icon=":material/open_in_new:")
    if place and current_admin():
        st.link_button(
            f"Download {plain(shown(name))}", source_address(gallery, entry.image, SAVE), icon=":material/download:"
        )


def request_download(image: str) -> None:
    """Make `download_requested` of the next page run save the file of a picture."""
    st.session_state[REQUESTED] = image


@errors_as_toasts()
def download_requested(gallery: Gallery) -> None:
    """Save the file that a tile was asked for, if any."""
    image = st.session_state.pop(REQUESTED, None)
    if image is not None:
        file = _offered(gallery, image)
        download(file.read(), file.name, file.mime)


def facts(entry: ImageEntry) -> str:
    """Size, file size, date and folder at indexing time, on one line."""
    day = local_time(entry.mtime)
    modified = f"modified on {day:%d %B %Y}" if day else "unknown date"
    folder = str(PurePosixPath(entry.image).parent)
    where = "the gallery folder" if folder == "." else f"the folder {folder}"
    place = place_of(entry)
    told = f"{place_in_words(place)} of a file of {file_size(entry.bytes)}" if place else file_size(entry.bytes)
    return f"{entry.width} x {entry.height} pixels, {told}, {modified}, in {where}"


def _offered(gallery: Gallery, image: str) -> OfferedFile:
    """Administrators get the file itself, other visitors a JPEG without its metadata."""
    name, entry = original_name(image), gallery.entry(image)
    if who := current_admin():
        read = partial(_original, gallery, image, who)
        if entry.place:
            return OfferedFile("Download picture", name, "image/png", read, "A PNG in full size")
        about = "The unchanged file, with its camera and location data"
        return OfferedFile("Download original", name, "application/octet-stream", read, about)
    read = partial(full_size_jpeg, gallery, image, shared_engine().visitor_pictures.read, visiting_client())
    about = "A JPEG in full size, without camera and location data"
    return OfferedFile("Download picture", f"{PurePosixPath(name).stem}.jpg", "image/jpeg", read, about)


def _original(gallery: Gallery, image: str, who: str) -> bytes:
    log.info("The original of a picture was downloaded by %s.", who)
    return read_original(gallery, image)


def _path(gallery: Gallery, image: str) -> None:
    st.code(printable(str(gallery.file(image))), language=None, wrap_lines=True)
    if can_open_folders():
        icon = ":material/folder_open:"
        st.button("Open folder", icon=icon, key="open folder", on_click=_open_folder, args=[gallery, image])


def _open_folder(gallery: Gallery, image: str) -> None:
    who, file = require_local_admin(), gallery.file(image)
    if file.parent.is_dir():
        open_folder(file)
        log.info("%s opened the folder of a picture.", who.capitalize())
    else:
        st.toast("This folder no longer exists.", icon=":material/warning:")
