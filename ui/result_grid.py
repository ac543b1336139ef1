"""Hits as tiles: rank, score, name, and the picture with the place that matched outlined."""

from collections.abc import Sequence

import streamlit as st

from index.gallery import Gallery
from retrieval.errors import BoxfindError
from retrieval.types import Box, Hit
from ui.session import search_with_file
from ui.text import plain
from ui.tile import tile


def result_grid(gallery: Gallery, hits: Sequence[Hit]) -> None:
    """One tile a hit, best first; every tile offers to search on from the place that matched."""
    grid = st.grid("auto", min_column_width=150, gap="small")
    for rank, hit in enumerate(hits, start=1):
        with grid.cell():
            st.image(
                tile(gallery.folder.name, hit.image, hit.region.box, gallery),
                width="stretch",
                alt=f"Rank {rank}: {hit.image}, score {hit.score:.3f}",
            )
            st.markdown(f"**{rank}** · {hit.score:.3f}  \n{plain(hit.image)}")
            st.button(
                "Search from this",
                key=f"from {hit.image}",
                type="tertiary",
                icon=":material/center_focus_strong:",
                help="The outlined place becomes the new query.",
                on_click=search_from,
                args=[gallery, hit.image, hit.region.box],
            )


def search_from(gallery: Gallery, image: str, box: Box | None = None) -> None:
    """Makes a gallery picture the query; keeps the one there is, and says why, when the file cannot be read now."""
    try:
        search_with_file(gallery.file(image), image, box)
    except BoxfindError as error:
        st.toast(plain(f"{error} It was there when the gallery was indexed."), icon=":material/warning:")
