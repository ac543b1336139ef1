"""A progress bar on the page, for operations that report stages and counts."""

import streamlit as st

from boxfind.ui.widgets.safe_text import plain
from retrieval.types import Progress


def page_progress(text: str) -> Progress:
    """Show a bar with a text; returns the function that moves it, at most once for each percent."""
    bar, shown = st.progress(0, text), (text, 0)

    def show(stage: str, done: int, total: int) -> None:
        nonlocal shown
        now = stage, min(100 * done // total, 100) if total else 0
        if now != shown:
            shown = now
            bar.progress(now[1], plain(stage))

    return show
