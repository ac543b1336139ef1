"""Review of identical files and near-duplicate pictures."""

from collections.abc import Sequence

import streamlit as st

from boxfind.ui.gallery.browse import picture_grid, picture_tile
from boxfind.ui.session import BY_GENERATION
from boxfind.ui.widgets.paging import page_of
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from index.groups.duplicates import identical, near_identical
from retrieval.errors import BoxfindError

GROUPS_PER_PAGE = 5
MOST_OF_A_GROUP = 40


def duplicates(gallery: Gallery) -> list[str]:
    """Show groups of duplicates. Returns the ids of their pictures, group by group."""
    st.caption("Review only; nothing is deleted.")
    same = identical(gallery.tables)
    st.subheader("Identical files", anchor=False)
    _groups(gallery, same, "identical files")
    st.subheader("Near-duplicates", anchor=False)
    near: list[list[str]] = []
    try:
        near = _near(gallery)
    except BoxfindError as error:
        st.info(plain(str(error)), icon=":material/info:")
    else:
        _groups(gallery, near, "near-duplicates")
    return list(dict.fromkeys(image for group in [*same, *near] for image in group))


@st.cache_data(max_entries=4, show_spinner="Comparing pictures…", hash_funcs=BY_GENERATION)
def _near(gallery: Gallery) -> list[list[str]]:
    return near_identical(gallery)


def _groups(gallery: Gallery, groups: Sequence[list[str]], kind: str) -> None:
    if not groups:
        st.text(f"There are no {kind}.")
    for place, group in enumerate(page_of(groups, GROUPS_PER_PAGE, f"{kind} page")):
        more = f", the first {MOST_OF_A_GROUP} shown" if len(group) > MOST_OF_A_GROUP else ""
        st.caption(f"{len(group):,} {kind}{more}")
        tiles = [picture_tile(gallery, image) for image in group[:MOST_OF_A_GROUP]]
        picture_grid(gallery, tiles, f"{kind} {place}", label=f"{len(group):,} {kind}")
