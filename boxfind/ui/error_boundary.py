"""An error nobody foresaw: the visitor gets a number, the log the details."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from boxfind.logs import log


@contextmanager
def error_boundary() -> Iterator[None]:
    """Round the body of a page. Streamlit's own ways to end a run are no errors and pass through."""
    try:
        yield
    except Exception:
        number = secrets.token_hex(4)
        log.exception("Error %s", number)
        st.error(
            f"Something went wrong (error {number}). Reload the page; if it happens again, whoever runs this program "
            "finds the reason in its log under that number.",
            icon=":material/error:",
        )
