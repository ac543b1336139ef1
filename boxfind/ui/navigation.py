"""The pages, and the way to them."""

import streamlit as st

_called = False


def chosen_page() -> st.Page:
    """The page that a visitor wants to see, for app.py."""
    global _called
    page = st.navigation(
        [
            st.Page("pages/search.py", title="Search", icon=":material/search:", default=True),
            st.Page("pages/gallery.py", title="Gallery", icon=":material/photo_library:"),
            st.Page("pages/catalogue.py", title="Catalogue", icon=":material/category:"),
            st.Page("pages/evaluate.py", title="Evaluate", icon=":material/rule:"),
        ]
    )
    _called = True
    return page


def require_app() -> None:
    """Has a page run by app.py if it was not.

    Streamlit runs the file of a page by itself, without app.py, while a new server has not been asked for anything but
    links to pages. The first call of st.navigation ends that for all visitors.
    """
    if not _called:
        chosen_page()
        st.rerun()
