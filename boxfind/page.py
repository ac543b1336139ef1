"""Serve the web page, with the films and documents of its gallery: `streamlit run boxfind/page.py`."""

import streamlit as st

from boxfind.settings import PROJECT
from boxfind.ui.source_route import source_route

app = st.App(PROJECT / "app.py", routes=[source_route()])
