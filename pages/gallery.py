"""Everything that is indexed: leaf through it, look closer, see what is there twice."""

import streamlit as st

from ui.duplicates_view import duplicates
from ui.gallery_view import browse
from ui.hand_over import follow_hand_over
from ui.picture_dialog import picture_dialog
from ui.served_gallery import ready_gallery

gallery = ready_gallery()
follow_hand_over(gallery)
st.header("Gallery", anchor=False)
pictures, twice = st.tabs(["Pictures", "Duplicates"], key="gallery tab", on_change="rerun")
images: list[str] = []
if pictures.open:
    with pictures:
        images = browse(gallery)
if twice.open:
    with twice:
        images = duplicates(gallery)
picture_dialog(gallery, images)
