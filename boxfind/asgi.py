"""Serve the web page and the API (at /api) from one process: `streamlit run boxfind/asgi.py`."""

import sys

import streamlit as st
from starlette.routing import Mount

from boxfind.api.app import loaded, make_api
from boxfind.connections import believe_only, limit_connections
from boxfind.settings import PROJECT, BadSetting
from boxfind.ui.session import shared_engines
from boxfind.ui.source_route import source_route

try:
    engines = shared_engines()
except BadSetting as problem:
    sys.exit(str(problem))
limit_connections()
believe_only(engines.settings.api.proxies)
api = make_api(engines)
app = st.App(PROJECT / "app.py", lifespan=lambda _: loaded(api), routes=[Mount("/api", api), source_route()])
