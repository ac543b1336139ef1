"""The pages of the app and their navigation menu."""

import streamlit as st

_called = False


def chosen_page() -> st.Page:
    """The page the visitor selected, for app.py to run."""
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
    """Rerun the page through app.py if Streamlit ran its file directly.

    A new server does so as long as visitors only follow links to pages. The first call of st.navigation ends that for
    all visitors.
    """
    if not _called:
        chosen_page()
        st.rerun()
