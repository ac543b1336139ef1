"""Handle unexpected errors: show an error number and log the traceback under it."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from boxfind.logs import log


@contextmanager
def error_boundary() -> Iterator[None]:
    """Wrap the body of a page. Streamlit ends a run with BaseExceptions, which pass through."""
    try:
        yield
    except Exception:
        number = secrets.token_hex(4)
        log.exception("Error %s", number)
        st.error(
            f"Something went wrong (error {number}). Reload the page. If the error persists, ask the administrator to "
            "look up that number in the log.",
            icon=":material/error:",
        )
