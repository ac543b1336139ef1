"""Log in and out through the configured provider."""

import streamlit as st
from streamlit.errors import StreamlitAuthError

from boxfind.logs import log
from boxfind.ui.authorization import is_admin


def account() -> None:
    """Show who is logged in, and the button to log in or out."""
    if st.user.get("is_logged_in"):
        st.text(str(st.user.get("email", "Logged in")))
        if not is_admin():
            st.caption("You can search and browse. Only administrators can build the index.")
        st.button("Log out", icon=":material/logout:", on_click=st.logout)
    elif "is_logged_in" in st.user:
        st.markdown("Administrators log in to update the index and to add pictures. Searching needs no account.")
        st.button("Log in", type="primary", icon=":material/login:", on_click=_log_in)
    else:  # Streamlit has no provider configured
        st.caption("Log-in is unavailable: no log-in provider is configured. See docs/admin.md.")


def _log_in() -> None:
    try:
        st.login()
    except StreamlitAuthError as error:
        log.error("The log-in provider is misconfigured: %s", error)
        st.toast("Log-in failed: the provider is misconfigured. See the log for details.", icon=":material/error:")
