"""Show errors on the page: unexpected ones as a number in the log, those of a callback as a toast."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec

import streamlit as st

from boxfind.collection_table import CollectionsProblem, UnreadableTable
from boxfind.logs import log
from boxfind.settings import BadSetting
from boxfind.ui.widgets.safe_text import plain
from retrieval.errors import BoxfindError

LOGGED = "logged problem"
"""Session key of the last problem that was logged: parts of a page run every few seconds."""
P = ParamSpec("P")


@contextmanager
def error_boundary() -> Iterator[None]:
    """Wrap the body of a page or of a dialog. Streamlit ends a run with BaseExceptions, which pass through."""
    try:
        yield
    except CollectionsProblem as problem:  # the list has become unusable since the page ran
        st.error(sentence_of(problem), icon=":material/error:")
    except Exception:
        number = secrets.token_hex(4)
        log.exception("Error %s", number)
        st.error(
            f"Something went wrong (error {number}). Reload the page. If the error persists, ask the administrator to "
            "look up that number in the log.",
            icon=":material/error:",
        )


def polled(draw: Callable[P, None], every: str | None) -> Callable[P, None]:
    """A part of the page that runs again by itself, with a caption in its place while the collections are unusable."""

    @error_boundary()
    @wraps(draw)  # Streamlit tells parts in the same place apart by their names
    def part(*given: P.args, **named: P.kwargs) -> None:
        try:
            draw(*given, **named)
        except CollectionsProblem as problem:
            st.caption(sentence_of(problem))

    fragment: Callable[P, None] = st.fragment(part, run_every=every)
    return fragment


@contextmanager
def errors_as_toasts() -> Iterator[None]:
    """Decorate a callback, which has no place on the page for an error message."""
    try:
        yield
    except BoxfindError as error:
        st.toast(sentence_of(error), icon=":material/warning:")


def sentence_of(error: BoxfindError) -> str:
    """The message of an error, in Markdown. One about settings or the list of collections may contain paths.

    Only `local` shows such a message on the page, everywhere else it is in the log.
    """
    if not isinstance(error, BadSetting | UnreadableTable):
        return plain(str(error))
    if st.session_state.get(LOGGED) != str(error):
        log.error("%s", error)
        st.session_state[LOGGED] = str(error)
    if os.environ.get("BOXFIND_ADMIN") == "local":
        return plain(str(error))
    return "A setting or the list of collections is invalid; the log of this program says which."
