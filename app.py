"""Boxfind: draw a box around an object and find the gallery pictures that show it."""

from pathlib import Path

import streamlit as st

from boxfind.ui.build_line import build_line
from boxfind.ui.collection_choice import collection_chooser, collection_in_address
from boxfind.ui.error_boundary import error_boundary
from boxfind.ui.memory_release import release_memory_regularly
from boxfind.ui.navigation import ICON, chosen_page
from boxfind.ui.search.saved_searches import saved_searches
from boxfind.ui.session import require_settings
from boxfind.ui.sidebar import index_sidebar
from boxfind.ui.upload_limits import limit_uploads
from boxfind.ui.widgets.picture_dialog import forget_dialog

UI = Path(__file__).parent / "boxfind" / "ui"
st.set_page_config(page_title="Boxfind", page_icon=ICON, layout="wide", initial_sidebar_state="collapsed")
st.logo(str(UI / "logo.svg"), size="large")
st.html(UI / "page.css")
limit_uploads()
release_memory_regularly()
require_settings()
forget_dialog()
page = chosen_page()
collection_in_address(page)
with st.sidebar, error_boundary():
    collection_chooser(page)
    index_sidebar(page)
    saved_searches(page)
with error_boundary():
    build_line(page.url_path)
with error_boundary():
    page.run()
