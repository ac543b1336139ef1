"""Boxfind: draw a box round an object, get the gallery pictures that hold it."""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import streamlit as st

from ui.fault import faults_told
from ui.index_sidebar import index_sidebar
from ui.navigation import chosen_page

# A process that decodes pictures for this one would run its main file first; one of this name is left alone.
sys.modules["__main__"].__spec__ = ModuleSpec("__main__", None)
st.set_page_config(page_title="Boxfind", page_icon=":material/select:", layout="wide")
st.html(Path(__file__).parent / "ui" / "page.css")
page = chosen_page()
with st.sidebar, faults_told():
    index_sidebar()
with faults_told():
    page.run()
