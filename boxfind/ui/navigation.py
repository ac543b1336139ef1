"""The pages of the app and the menu at the top."""

from pathlib import Path

import streamlit as st

from boxfind.ui.authorization import is_admin, is_local_admin
from boxfind.ui.session import require_settings, shared_engine

ICON = Path(__file__).with_name("icon.svg")
"""Browsers load an icon given by name from another company's server; without one, they take that of the menu."""
_called = False


def chosen_page() -> st.Page:
    """The page the visitor selected, for app.py to run."""
    global _called
    page = st.navigation(_pages(), position="top")
    _called = True
    return page


def require_app() -> None:
    """Rerun the page through app.py if Streamlit ran its file directly.

    A new server does so as long as visitors only follow links to pages. The first call of st.navigation ends that for
    all visitors.
    """
    if not _called:
        st.set_page_config(page_icon=ICON)
        require_settings()
        chosen_page()
        st.rerun()


def _pages() -> list[st.Page]:
    """The pages that this visitor may open."""
    settings = shared_engine().settings
    pages = [
        st.Page("pages/search.py", title="Search", icon=":material/search:", default=True),
        st.Page("pages/gallery.py", title="Gallery", icon=":material/photo_library:"),
        st.Page("pages/catalogue.py", title="Catalogue", icon=":material/category:"),
        st.Page("pages/evaluate.py", title="Evaluate", icon=":material/rule:"),
    ]
    if is_admin():
        pages.append(st.Page("pages/index.py", title="Index", icon=":material/database:"))
    if is_local_admin():
        pages.append(
            st.Page(
                "pages/collections.py",
                title="Collections",
                icon=":material/create_new_folder:",
            )
        )
    if settings.server.admin == "login":
        title = "Account" if st.user.get("is_logged_in") else "Log in"
        pages.append(st.Page("pages/account.py", title=title, icon=":material/account_circle:"))
    return pages
