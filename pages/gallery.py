"""Gallery page: browse indexed pictures, inspect them, review duplicates and add pictures."""

import streamlit as st

from boxfind.ui.administration.add_pictures import add_pictures
from boxfind.ui.authorization import is_admin
from boxfind.ui.gallery.browse import browse
from boxfind.ui.gallery.duplicates_view import duplicates
from boxfind.ui.gallery.picture_dialog import picture_dialog
from boxfind.ui.gallery.skipped_note import skipped_note
from boxfind.ui.served_gallery import ready_gallery

gallery = ready_gallery()
with st.container(key="title"):  # for screen readers
    st.header("Gallery", anchor=False)
names = ["Pictures", "Duplicates"] + ["Add pictures"] * is_admin()
pictures_tab, duplicates_tab, *upload_tabs = st.tabs(names, key="gallery tab", on_change="rerun")
images: list[str] = []
if pictures_tab.open:
    with pictures_tab:
        skipped_note(gallery)
        images = browse(gallery)
if duplicates_tab.open:
    with duplicates_tab:
        images = duplicates(gallery)
for upload_tab in upload_tabs:
    if upload_tab.open:
        with upload_tab:
            add_pictures(gallery)
picture_dialog(gallery, images)
