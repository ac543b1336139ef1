"""Gallery page: browse indexed pictures, inspect them, review duplicates and add pictures."""

import streamlit as st

from boxfind.ui.authorization import is_admin
from boxfind.ui.gallery.batch_upload import batch_upload
from boxfind.ui.gallery.browse import browse
from boxfind.ui.gallery.duplicates_view import duplicates
from boxfind.ui.gallery.picture_dialog import picture_dialog
from boxfind.ui.served_gallery import ready_gallery

gallery = ready_gallery()
st.header("Gallery", anchor=False)
names = ["Pictures", "Duplicates"] + ["Add pictures"] * is_admin()
pictures_tab, duplicates_tab, *upload_tabs = st.tabs(names, key="gallery tab", on_change="rerun")
images: list[str] = []
if pictures_tab.open:
    with pictures_tab:
        images = browse(gallery)
if duplicates_tab.open:
    with duplicates_tab:
        images = duplicates(gallery)
for upload_tab in upload_tabs:
    if upload_tab.open:
        with upload_tab:
            batch_upload(gallery)
picture_dialog(gallery, images)
