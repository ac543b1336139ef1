"""Hits as tiles: rank, score, name, and the picture with the place that matched outlined."""

import io
from collections.abc import Sequence

import streamlit as st
from PIL import Image as Pillow
from PIL import ImageDraw, ImageEnhance, ImageFilter, ImageOps

from index.gallery import Gallery
from retrieval.errors import BoxfindError
from retrieval.types import Box, Hit
from ui.session import search_with_file
from ui.text import plain

OUTLINE = "#ff5a1f"
TILE = (320, 240)
"""Every tile has this size, so that rows stay straight; what a picture leaves free is its own blurred self."""


def result_grid(gallery: Gallery, hits: Sequence[Hit]) -> None:
    """One tile a hit, best first; every tile offers to search on from the place that matched."""
    grid = st.grid("auto", min_column_width=150, gap="small")
    for rank, hit in enumerate(hits, start=1):
        with grid.cell():
            st.image(
                _tile(gallery.folder.name, hit.image, hit.region.box, gallery),
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


@st.cache_data(max_entries=2048, max_size="128MB", show_spinner=False)
def _tile(generation: str, image: str, box: Box, _gallery: Gallery) -> bytes:
    entry = _gallery.entry(image)
    return outlined(_gallery.thumbnail(image), box, entry.width, entry.height)


def outlined(jpeg: bytes, box: Box, width: int, height: int) -> bytes:
    """A JPEG of a (width, height) original with the box, in the original's pixels, drawn on it."""
    with Pillow.open(io.BytesIO(jpeg)) as thumbnail:
        picture = thumbnail.convert("RGB")
    across, down = picture.width / width, picture.height / height
    edges = (
        round(box.x0 * across),
        round(box.y0 * down),
        round(box.x1 * across) - 1,
        round(box.y1 * down) - 1,
    )
    pen = ImageDraw.Draw(picture)
    pen.rectangle(edges, outline="white", width=5)
    pen.rectangle([edges[0] + 1, edges[1] + 1, edges[2] - 1, edges[3] - 1], outline=OUTLINE, width=3)
    out = io.BytesIO()
    _on_tile(picture).save(out, "JPEG", quality=85)
    return out.getvalue()


def _on_tile(picture: Pillow.Image) -> Pillow.Image:
    fitted = ImageOps.contain(picture, TILE, Pillow.Resampling.BICUBIC)
    if fitted.size == TILE:
        return fitted
    tile = ImageOps.fit(picture, (TILE[0] // 8, TILE[1] // 8)).filter(ImageFilter.GaussianBlur(2)).resize(TILE)
    tile = ImageEnhance.Brightness(tile).enhance(0.6)
    tile.paste(fitted, ((TILE[0] - fitted.width) // 2, (TILE[1] - fitted.height) // 2))
    return tile
