"""Log-in and log-out controls for administrators."""

import streamlit as st
from streamlit.errors import StreamlitAuthError

from boxfind.logs import log
from boxfind.ui.authorization import is_admin
from boxfind.ui.session import shared_engine


def login_panel() -> None:
    """Show the controls if BOXFIND_ADMIN is `login`."""
    if shared_engine().settings.server.admin != "login":
        return
    if st.user.get("is_logged_in"):
        st.text(str(st.user.get("email", "Logged in")))
        if not is_admin():
            st.caption("You can search and browse. Only administrators can build the index.")
        st.button("Log out", icon=":material/logout:", type="tertiary", on_click=st.logout)
    elif "is_logged_in" in st.user:
        st.button("Log in", icon=":material/login:", type="tertiary", on_click=_log_in)
    else:  # Streamlit has no provider configured
        st.caption("Log-in is unavailable: no log-in provider is configured. See docs/admin.md.")


def _log_in() -> None:
    try:
        st.login()
    except StreamlitAuthError as error:
        log.error("The log-in provider is misconfigured: %s", error)
        st.toast("Log-in failed: the provider is misconfigured. See the log for details.", icon=":material/error:")
