"""Boxfind: draw a box round an object, get the gallery pictures that hold it."""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import streamlit as st

from boxfind.ui.error_boundary import error_boundary
from boxfind.ui.navigation import chosen_page
from boxfind.ui.session import require_settings
from boxfind.ui.sidebar import index_sidebar

# A process that decodes pictures for this one would run its main file first; one of this name is left alone.
sys.modules["__main__"].__spec__ = ModuleSpec("__main__", None)
st.set_page_config(page_title="Boxfind", page_icon=":material/select:", layout="wide")
st.html(Path(__file__).parent / "boxfind" / "ui" / "page.css")
require_settings()
page = chosen_page()
with st.sidebar, error_boundary():
    index_sidebar()
with error_boundary():
    page.run()
