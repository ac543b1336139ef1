"""Widgets whose value also changes from outside: by a link, Back or a drawn box.

A browser that has not yet received such a change sends the old value with its next event, which looks like an edit by
the visitor. So each outside change gives the widget a new key, and values under an old key are ignored. The value is
passed as the widget's default, not through the session state: a browser interrupted before it receives a session
value would send the widget's own default as a change.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

T = TypeVar("T")


def synced(
    name: str, value: T, on_edit: Callable[[T], None], parse: Callable[[Any], T] = lambda raw: raw
) -> dict[str, Any]:
    """The arguments `key` and `on_change` of a widget that shows `value`.

    `on_edit` receives the visitor's input, converted by `parse` to the type of `value`.
    """
    slot = f"synced {name}"
    version, shown = st.session_state.get(slot, (0, value))
    version += shown != value
    st.session_state[slot] = version, value
    key = f"{name} {version}"

    def edited() -> None:
        current, _ = st.session_state[slot]
        if current == version:
            edit = parse(st.session_state[key])
            st.session_state[slot] = version, edit  # not an outside change, so the key stays
            on_edit(edit)

    return {"key": key, "on_change": edited}
