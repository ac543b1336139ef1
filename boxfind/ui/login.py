"""The way to log in and out, where the operator lets administrators in by log-in."""

import streamlit as st
from streamlit.errors import StreamlitAuthError

from boxfind.logs import log
from boxfind.ui.authorization import is_admin
from boxfind.ui.session import shared_engine


def login_panel() -> None:
    """Shows nothing unless BOXFIND_ADMIN is `login`."""
    if shared_engine().settings.server.admin != "login":
        return
    if st.user.get("is_logged_in"):
        st.text(str(st.user.get("email", "Logged in")))
        if not is_admin():
            st.caption("You may search and browse; building the index is for administrators.")
        st.button("Log out", icon=":material/logout:", type="tertiary", on_click=st.logout)
    elif "is_logged_in" in st.user:
        st.button("Log in", icon=":material/login:", type="tertiary", on_click=_log_in)
    else:  # Streamlit knows of no provider
        st.caption("Nobody can log in yet: no log-in provider is configured. See docs/admin.md.")


def _log_in() -> None:
    try:
        st.login()
    except StreamlitAuthError as error:
        log.error("The log-in provider is not configured well: %s", error)
        st.toast("Logging in does not work: the log says what is wrong with its settings.", icon=":material/error:")
