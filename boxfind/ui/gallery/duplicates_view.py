"""Review of identical files and near-duplicate pictures."""

from collections.abc import Sequence

import streamlit as st

from boxfind.ui.gallery.browse import picture_grid
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
    _groups(gallery, same, "There are no identical files.", "identical files", "same")
    st.subheader("Near-duplicates", anchor=False)
    try:
        near = _near(gallery.folder.name, gallery)
    except BoxfindError as error:
        st.info(plain(str(error)), icon=":material/info:")
        near = []
    else:
        _groups(gallery, near, "There are no near-duplicates.", "near-duplicate pictures", "near")
    return list(dict.fromkeys(image for group in [*same, *near] for image in group))


@st.cache_data(max_entries=4, show_spinner="Comparing pictures…")
def _near(generation: str, _gallery: Gallery) -> list[list[str]]:
    return near_identical(_gallery)


def _groups(gallery: Gallery, groups: Sequence[list[str]], none: str, noun: str, key: str) -> None:
    if not groups:
        st.text(none)
        return
    pages = -(-len(groups) // GROUPS_PER_PAGE)
    number = st.pagination(pages, key=f"{key} page") if pages > 1 else 1
    for place, group in enumerate(groups[(number - 1) * GROUPS_PER_PAGE : number * GROUPS_PER_PAGE]):
        more = f", the first {MOST_OF_A_GROUP} shown" if len(group) > MOST_OF_A_GROUP else ""
        st.caption(f"{len(group):,} {noun}{more}")
        picture_grid(gallery, group[:MOST_OF_A_GROUP], f"{key} {place}", label=f"{len(group)} {noun}")
