"""What is in several pictures of the gallery, group by group, to be looked over, named and taken away."""

import streamlit as st

from ui.catalogue_view import catalogue
from ui.hand_over import follow_hand_over
from ui.picture_dialog import picture_dialog
from ui.served_gallery import ready_gallery

gallery = ready_gallery()
follow_hand_over(gallery)
st.header("Catalogue", anchor=False)
images = catalogue(gallery)
picture_dialog(gallery, images)
