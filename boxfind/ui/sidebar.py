"""Sidebar: gallery, index facts, skipped files, build panel and log-in."""

import streamlit as st

from boxfind.ui.authorization import is_admin
from boxfind.ui.build_panel import build_panel
from boxfind.ui.gallery.skipped_table import skipped_button
from boxfind.ui.login import login_panel
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from retrieval.errors import IndexProblem


def index_sidebar() -> None:
    """Show the gallery, its index and the controls to update it."""
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
    login_panel()


def _facts(gallery: Gallery) -> None:
    manifest = gallery.manifest
    built = manifest.created.astimezone()
    st.markdown(
        f"**{counted(manifest.counts.images, 'picture')}**, **{counted(manifest.counts.regions, 'region')}**  \n"
        f"Model {plain(manifest.recipe.backbone)}  \n"
        f"Built {built:%d %B %Y, %H:%M}"
    )
    skipped_button(gallery)
    if manifest.note:
        st.caption(plain(manifest.note))
