"""Versioned keys for widgets whose value also changes from outside, by a link, Back or a drawn box.

A browser that has not received such a change yet sends the old value with its next event, which looks like an edit by
the visitor. So each outside change gives the widget a new key, and values under an old key are ignored. The value is
passed as the widget's default, never through the session state: a browser interrupted before it receives a session
value would send the widget's own default as a change.
"""

import streamlit as st


def key_for(name: str, value: object) -> str:
    """The current key of the widget; a new one if the value has changed from outside."""
    version, shown = st.session_state.get(_slot(name), (0, value))
    if shown != value:
        version += 1
    st.session_state[_slot(name)] = version, value
    return f"{name} {version}"


def was_set(name: str, key: str, value: object) -> bool:
    """Whether a callback's value came under the current key. If so, record it, so that the key stays the same."""
    version, _ = st.session_state[_slot(name)]
    if key != f"{name} {version}":
        return False
    st.session_state[_slot(name)] = version, value
    return True


def _slot(name: str) -> str:
    return f"followed by {name}"
