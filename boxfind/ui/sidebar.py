"""Sidebar: the facts of the collection and of its index."""

import streamlit as st

from boxfind.search_scope import scope_of
from boxfind.ui.build_line import POLL
from boxfind.ui.build_panel import running_build
from boxfind.ui.collection_choice import searches_everywhere, title_of
from boxfind.ui.error_boundary import polled
from boxfind.ui.index_facts import index_facts, skipped_button
from boxfind.ui.session import shared_engine, shared_engines
from boxfind.ui.watch_line import watch_line
from boxfind.ui.widgets.safe_text import plain
from retrieval.errors import IndexProblem


def index_sidebar(page: st.Page) -> None:
    """Show the collection and its index, which grows while it is built. Without one the page says all."""
    if not page.url_path and searches_everywhere():
        _all_collections()
        return
    engine = shared_engine()
    try:
        gallery = engine.gallery()
    except IndexProblem:
        return
    if len(shared_engines().collections.all()) == 1:  # otherwise the chooser above says so
        st.subheader("Collection")
    polled(_facts, POLL if running_build(engine) else None)()
    watch_line(gallery)
    skipped_button(gallery)


def _all_collections() -> None:
    """Name the collections that are searched together, with the numbers of their pictures."""
    engines = shared_engines()
    lines = []
    for collection in engines.collections.all():
        try:
            counts = scope_of([engines.of(collection).gallery()]).counts
        except IndexProblem:
            counts = "not indexed yet"
        lines.append(f"**{plain(title_of(collection))}**: {counts}")
    st.markdown("  \n".join(lines))


def _facts() -> None:
    try:
        index_facts(shared_engine().gallery())
    except IndexProblem as problem:  # it has gone since the page ran
        st.caption(plain(str(problem)))
