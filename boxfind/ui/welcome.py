"""The page of an empty collection: what Boxfind does, and how to give it pictures."""

import streamlit as st

from boxfind.settings import Settings
from boxfind.ui.administration.add_collection import add_collection
from boxfind.ui.administration.add_pictures import add_pictures
from boxfind.ui.authorization import is_local_admin
from boxfind.ui.build_panel import WHAT_IT_DOES, build_button
from boxfind.ui.collection_choice import current_collection, title_of
from boxfind.ui.session import shared_engines
from boxfind.ui.widgets.safe_text import plain
from index.storage.folder_scan import scan_gallery
from index.storage.skipped_files import missing_packages, unread_formats
from retrieval.errors import GalleryProblem
from retrieval.printable_names import printable


def is_empty(settings: Settings) -> bool:
    """Whether the gallery folder exists, but holds no picture. The sample gallery is drawn, so it is never empty."""
    if settings.is_sample:
        return False
    try:
        return not scan_gallery(settings.gallery_dir, settings.gallery_rules).found
    except GalleryProblem:
        return False


def welcome(settings: Settings) -> None:
    """Greet an administrator and offer the ways to the first pictures. Who has other collections knows Boxfind."""
    if len(shared_engines().collections.all()) == 1:
        st.title("Welcome to Boxfind", anchor=False)
        st.markdown(WHAT_IT_DOES)
    else:
        st.title(f"{plain(title_of(current_collection()))} is empty", anchor=False)
    folder = plain(printable(str(settings.gallery_dir)))
    st.markdown(f"There are **no pictures yet** in {folder}. {_unread(settings)}")
    local = is_local_admin()
    first, *others = st.columns(2 if local else 1, gap="large")
    if local:
        with first:
            st.subheader("Choose a folder", anchor=False)
            add_collection()
    with others[0] if others else first:
        st.subheader("Or add pictures to the empty one" if local else "Add pictures", anchor=False)
        add_pictures(None)
        build_button("I have copied pictures there: look again", icon=":material/refresh:")


def _unread(settings: Settings) -> str:
    """Sentences about pictures that Boxfind cannot read, or not without another package; empty if there are none."""
    skipped = scan_gallery(settings.gallery_dir, settings.gallery_rules).skipped
    formats = unread_formats(skipped)
    sentences = [f"Boxfind cannot read these yet: {formats}; convert them to JPEG."] if formats else []
    return plain(" ".join([*sentences, *missing_packages(skipped)]))
