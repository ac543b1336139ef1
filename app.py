"""Boxfind: draw a box round an object, get the gallery pictures that hold it."""

from pathlib import Path

import streamlit as st

from ui.index_sidebar import index_sidebar

st.set_page_config(page_title="Boxfind", page_icon=":material/select:", layout="wide")
st.html(Path(__file__).parent / "ui" / "page.css")
page = st.navigation(
    [
        st.Page("pages/search.py", title="Search", icon=":material/search:", default=True),
        st.Page("pages/gallery.py", title="Gallery", icon=":material/photo_library:"),
    ]
)
with st.sidebar:
    index_sidebar()
page.run()
