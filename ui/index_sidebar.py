"""The state of the index, in the sidebar and, while there is none, in the middle of the page."""

import streamlit as st

from engine import Engine
from index.gallery import Gallery
from index.jobs import BuildState
from retrieval.errors import BoxfindError, IndexProblem
from ui.session import shared_engine
from ui.text import plain


def index_sidebar() -> None:
    """Which gallery is searched, what is in it, and the way to build it anew."""
    engine = shared_engine()
    st.subheader("Gallery")
    settings = engine.settings
    st.text("Sample gallery" if settings.is_sample else str(settings.gallery_dir))
    try:
        _facts(engine.gallery())
    except IndexProblem:
        st.text("No index to search yet")
        return
    state = engine.build_state()
    running = state is not None and state.state == "running"
    st.fragment(_progress, run_every="1s" if running else None)(running)
    if settings.rebuild:
        st.button(
            "Rebuild index",
            icon=":material/refresh:",
            disabled=running,
            on_click=engine.start_build,
            help="Looks at every picture of the gallery again. Searches go on meanwhile.",
        )


def ready_gallery() -> Gallery:
    """The gallery to search. While there is none the page shows why, or how far the first build is, and stops here."""
    engine = shared_engine()
    try:
        return engine.gallery()
    except IndexProblem as problem:
        may_build, state = engine.settings.rebuild, engine.build_state()
        if state is None and may_build:
            engine.start_build()
            st.rerun()
        if state is not None and state.state == "running":
            _first_build(engine)
        else:
            st.error(plain((state and state.message) or str(problem)), icon=":material/error:")
            if may_build:
                st.button("Build the index", type="primary", on_click=engine.start_build)
        st.stop()


def _facts(gallery: Gallery) -> None:
    manifest = gallery.manifest
    built = manifest.created.astimezone()
    st.markdown(
        f"**{manifest.counts.images:,}** pictures, **{manifest.counts.regions:,}** regions  \n"
        f"Model {plain(manifest.recipe.backbone)}  \n"
        f"Built {built:%d %B %Y, %H:%M}"
    )
    if manifest.counts.skipped:
        st.caption(f"{manifest.counts.skipped:,} files could not be used.")
    if manifest.note:
        st.caption(plain(manifest.note))


def _progress(was_running: bool) -> None:
    state = shared_engine().build_state()
    if state is None:
        return
    if state.state == "running":
        st.progress(_share(state), text=_words(state))
    elif state.state == "failed":
        st.error(plain(f"The last build did not finish. {state.message}"), icon=":material/error:")
    if was_running and state.state != "running":
        st.rerun()  # the whole page: it moves to the new generation


def _first_build(engine: Engine) -> None:
    st.title("One moment")
    if engine.settings.is_sample:
        st.markdown(
            "No gallery is configured, so a **sample gallery** is being drawn and indexed. For your own pictures start "
            "the program with `BOXFIND_GALLERY=/path/to/pictures make app`."
        )
    else:
        st.markdown("Your gallery is being indexed. You can close this page and come back.")

    @st.fragment(run_every="1s")
    def follow() -> None:
        state = engine.build_state()
        if state is None or state.state != "running":
            st.rerun()
        st.progress(_share(state), text=_words(state))

    follow()


def _share(state: BuildState) -> float:
    return min(state.done / state.total, 1.0) if state.total else 0.0


def _words(state: BuildState) -> str:
    """ "Looking at pictures: 1,200 of 2,000, 31 a second, 26 s left"."""
    words = plain(state.stage)
    if state.total:
        words += f": {state.done:,} of {state.total:,}"
    if state.total and state.rate and state.seconds_left is not None:
        left = state.seconds_left
        words += f", {state.rate:.0f} a second, " + (f"{left:.0f} s left" if left < 90 else f"{left / 60:.0f} min left")
    return words


def failure(error: BoxfindError) -> None:
    """An error as the page shows it."""
    st.error(plain(str(error)), icon=":material/error:")
