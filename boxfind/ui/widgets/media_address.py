"""Addresses under which the server offers a picture or a file to a component."""

import base64

import streamlit as st
from streamlit import runtime

JPEG = "image/jpeg"


def media_address(data: bytes, key: str, mime: str = JPEG, file_name: str | None = None) -> str:
    """The address of some data, valid until this session offers other data under the same key, or none.

    With a file name the browser saves the data instead of showing it.
    """
    if not runtime.exists():
        return data_url(data, mime)
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    media = runtime.get_instance().media_file_mgr
    address = media.add(data, mime, key, file_name, is_for_static_download=file_name is not None)
    return f"/{base}{address}" if base else address


def data_url(data: bytes, mime: str = JPEG) -> str:
    return f"data:{mime};base64," + base64.b64encode(data).decode()
