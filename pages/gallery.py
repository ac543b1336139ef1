"""Everything that is indexed, page by page."""

import streamlit as st

from ui.result_grid import search_from
from ui.served_gallery import ready_gallery
from ui.text import plain
from ui.tile import tile

PER_PAGE = 40

gallery = ready_gallery()
ids = gallery.catalogue.ids
st.header("Gallery", anchor=False)
st.caption(f"{len(ids):,} pictures. Take any of them to search with.")
pages = -(-len(ids) // PER_PAGE)
number = st.pagination(pages, key="gallery page", bind="query-params") if pages > 1 else 1

with st.grid("auto", min_column_width=150, gap="small") as grid:
    for image in ids[(number - 1) * PER_PAGE : number * PER_PAGE]:
        with grid.cell(), st.container(gap="xxsmall"):
            st.image(tile(gallery.folder.name, image, None, gallery), width="stretch", alt=image)
            st.caption(plain(image))
            if st.button("Search with this", key=f"with {image}", type="tertiary", icon=":material/search:"):
                search_from(gallery, image)
                st.switch_page("pages/search.py")
