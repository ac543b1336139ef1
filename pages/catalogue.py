"""Catalogue page: groups of similar pictures to review, name and export."""

import streamlit as st

from boxfind.ui.catalogue.view import catalogue
from boxfind.ui.gallery.picture_dialog import picture_dialog
from boxfind.ui.served_gallery import ready_gallery

gallery = ready_gallery()
st.header("Catalogue", anchor=False)
images = catalogue(gallery)
picture_dialog(gallery, images)
