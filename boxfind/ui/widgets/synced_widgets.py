"""Widgets that show a value which a link, a step back or a drawn box may change without them.

A browser that has not heard of such a change yet sends the old value with whatever else the visitor does, and that
looks as if the visitor had changed it back. So after a change from elsewhere the key is another one, and what comes
under an old key is passed over. The value is the default of such a widget, never put into the session state: a browser
that is interrupted before it hears of that would send the widget's own default, as a change.
"""

import streamlit as st


def key_for(name: str, value: object) -> str:
    """The key of the widget that shows this value now."""
    version, shown = st.session_state.get(_slot(name), (0, value))
    if shown != value:
        version += 1
    st.session_state[_slot(name)] = version, value
    return f"{name} {version}"


def was_set(name: str, key: str, value: object) -> bool:
    """For the callback of the widget: whether the value counts. If so it is the widget's own, and the key stays."""
    version, _ = st.session_state[_slot(name)]
    if key != f"{name} {version}":
        return False
    st.session_state[_slot(name)] = version, value
    return True


def _slot(name: str) -> str:
    return f"followed by {name}"
