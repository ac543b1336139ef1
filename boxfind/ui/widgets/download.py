"""Save a file on the visitor's machine at once, without another click."""

import secrets
from pathlib import Path

import streamlit as st

from boxfind.ui.widgets.media_address import media_address

STARTER = st.components.v2.component(
    "boxfind_download", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
)


def download(data: bytes, name: str, mime: str) -> None:
    """Make the browser save the data under this name. Call it once in a run."""
    address = media_address(data, "download", mime, file_name=name)
    STARTER(key="download", data={"address": address, "name": name, "once": secrets.token_hex(8)})
