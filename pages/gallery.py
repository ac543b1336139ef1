"""Gallery page: browse indexed pictures, inspect them, review duplicates and add pictures."""

import streamlit as st

from boxfind.ui.authorization import is_admin
from boxfind.ui.gallery.batch_upload import batch_upload
from boxfind.ui.gallery.browse import browse
from boxfind.ui.gallery.duplicates_view import duplicates
from boxfind.ui.gallery.picture_dialog import picture_dialog
from boxfind.ui.gallery.send_to_search import open_sent_image
from boxfind.ui.served_gallery import ready_gallery

gallery = ready_gallery()
open_sent_image(gallery)
st.header("Gallery", anchor=False)
tabs = ["Pictures", "Duplicates"] + ["Add pictures"] * is_admin()
pictures, twice, *add = st.tabs(tabs, key="gallery tab", on_change="rerun")
images: list[str] = []
if pictures.open:
    with pictures:
        images = browse(gallery)
if twice.open:
    with twice:
        images = duplicates(gallery)
if add and add[0].open:
    with add[0]:
        batch_upload(gallery)
picture_dialog(gallery, images)
