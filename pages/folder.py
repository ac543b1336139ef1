"""Folder page, for the administrator at this machine: choose the folder of pictures to search."""

import streamlit as st

from boxfind.ui.administration.choose_folder import choose_folder
from boxfind.ui.navigation import require_app

require_app()
st.header("Choose a folder", anchor=False)
choose_folder()
