"""Sidebar: gallery, index facts, skipped files, build panel and log-in."""

import streamlit as st
from streamlit.errors import StreamlitAuthError

from boxfind.logs import log
from boxfind.ui.authorization import is_admin
from boxfind.ui.build_panel import build_panel
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from index.storage.skipped_files import read_skipped, skipped_csv
from retrieval.errors import IndexProblem
from retrieval.printable_names import printable


def index_sidebar() -> None:
    """Show the gallery, its index and the controls to update it, and the log-in if it is configured."""
    engine = shared_engine()
    settings = engine.settings
    st.subheader("Gallery")
    folder = str(settings.gallery_dir) if is_admin() else settings.gallery_dir.name
    st.text("Sample gallery" if settings.is_sample else folder)
    try:
        _facts(engine.gallery())
        build_panel()
    except IndexProblem:
        st.text("No index yet")
    if settings.server.admin == "login":
        _login_panel()


def _facts(gallery: Gallery) -> None:
    manifest = gallery.manifest
    counts, built = manifest.counts, manifest.created.astimezone()
    st.markdown(
        f"**{counted(counts.images, 'picture')}**, **{counted(counts.regions, 'region')}**  \n"
        f"Model {plain(manifest.recipe.backbone)}  \n"
        f"Built {built:%d %B %Y, %H:%M}"
    )
    skipped = f"{counted(counts.skipped, 'file')} skipped"
    if counts.skipped and st.button(skipped, icon=":material/rule:", type="tertiary"):
        _skipped_files(gallery)
    if manifest.note:
        st.caption(plain(manifest.note))


@st.dialog("Skipped files", width="large")
def _skipped_files(gallery: Gallery) -> None:
    skipped = read_skipped(gallery.folder)
    st.dataframe(
        {
            "File": [printable(entry.file) for entry in skipped],
            "Reason": [entry.reason for entry in skipped],
            "Details": [printable(entry.sentence) for entry in skipped],
        },
        hide_index=True,
        alt="Skipped files with the reasons",
    )
    st.download_button(
        "Download as CSV",
        skipped_csv(skipped).encode("utf-8-sig"),  # spreadsheets expect a byte order mark
        "skipped.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _login_panel() -> None:
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
