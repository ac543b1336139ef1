"""Show errors on the page: unexpected ones as a number in the log, those of a callback as a toast."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from boxfind.logs import log
from boxfind.ui.widgets.safe_text import plain
from retrieval.errors import BoxfindError


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


@contextmanager
def errors_as_toasts() -> Iterator[None]:
    """Decorate a callback, which has no place on the page for an error message."""
    try:
        yield
    except BoxfindError as error:
        st.toast(plain(str(error)), icon=":material/warning:")
