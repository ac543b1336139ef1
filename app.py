"""Boxfind: draw a box around an object and find the gallery pictures that show it."""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import streamlit as st

from boxfind.ui.error_boundary import error_boundary
from boxfind.ui.navigation import chosen_page
from boxfind.ui.session import require_settings
from boxfind.ui.sidebar import index_sidebar

# A decoding worker would import the parent's main file first; a spec named __main__ prevents that.
sys.modules["__main__"].__spec__ = ModuleSpec("__main__", None)
st.set_page_config(page_title="Boxfind", page_icon=":material/select:", layout="wide")
st.html(Path(__file__).parent / "boxfind" / "ui" / "page.css")
require_settings()
page = chosen_page()
with st.sidebar, error_boundary():
    index_sidebar()
with error_boundary():
    page.run()
