"""Everything that is indexed: leaf through it, look closer, see what is there twice, and add to it."""

import streamlit as st

from ui.admin import may_rebuild
from ui.batch_upload import batch_upload
from ui.duplicates_view import duplicates
from ui.gallery_view import browse
from ui.hand_over import follow_hand_over
from ui.picture_dialog import picture_dialog
from ui.served_gallery import ready_gallery

gallery = ready_gallery()
follow_hand_over(gallery)
st.header("Gallery", anchor=False)
tabs = ["Pictures", "Duplicates"] + ["Add pictures"] * may_rebuild()
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
