"""Pictures that are in the gallery more than once, to be looked over."""

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
    """Shows what is there twice; the ids of all of it, one group after the other."""
    st.caption("This list is for looking things over: Boxfind never deletes or moves a picture.")
    same = identical(gallery.tables)
    st.subheader("The same file", anchor=False)
    _groups(gallery, same, "No file is in the gallery twice.", "identical files", "same")
    st.subheader("Nearly the same picture", anchor=False)
    try:
        near = _near(gallery.folder.name, gallery)
    except BoxfindError as error:
        st.info(plain(str(error)), icon=":material/info:")
        near = []
    else:
        _groups(gallery, near, "No two pictures are nearly the same.", "pictures that look nearly the same", "near")
    return list(dict.fromkeys(image for group in [*same, *near] for image in group))


@st.cache_data(max_entries=4, show_spinner="Comparing every picture with every other…")
def _near(generation: str, _gallery: Gallery) -> list[list[str]]:
    return near_identical(_gallery)


def _groups(gallery: Gallery, groups: Sequence[list[str]], none: str, are: str, key: str) -> None:
    if not groups:
        st.text(none)
        return
    pages = -(-len(groups) // GROUPS_PER_PAGE)
    number = st.pagination(pages, key=f"{key} page") if pages > 1 else 1
    for place, group in enumerate(groups[(number - 1) * GROUPS_PER_PAGE : number * GROUPS_PER_PAGE]):
        more = f", of which {MOST_OF_A_GROUP} are shown" if len(group) > MOST_OF_A_GROUP else ""
        st.caption(f"{len(group):,} {are}{more}")
        picture_grid(gallery, group[:MOST_OF_A_GROUP], f"{key} {place}", label=f"{len(group)} {are}")
