"""One gallery picture as it stands in a grid, with the place that matched outlined."""

import io

import streamlit as st
from PIL import Image as Pillow
from PIL import ImageDraw, ImageEnhance, ImageFilter, ImageOps

from index.gallery import Gallery
from retrieval.errors import IndexProblem
from retrieval.types import Box
from retrieval.upright import NEUTRAL_GREY

OUTLINE = "#ff5a1f"
SIZE = (320, 240)
"""Every tile has this size, so that rows stay straight; what a picture leaves free is its own blurred self."""


@st.cache_data(max_entries=2048, max_size="128MB", show_spinner=False)
def tile(generation: str, image: str, box: Box | None, _gallery: Gallery) -> bytes:
    """The JPEG of an image's tile, remembered by what decides it; `box` is in pixels of the original."""
    entry = _gallery.entry(image)
    picture = _thumbnail(_gallery, image)
    if box is not None:
        _outline(picture, box, picture.width / entry.width, picture.height / entry.height)
    out = io.BytesIO()
    on_tile(picture).save(out, "JPEG", quality=85)
    return out.getvalue()


def _thumbnail(gallery: Gallery, image: str) -> Pillow.Image:
    """A grey picture where the index has been taken away since."""
    try:
        with Pillow.open(io.BytesIO(gallery.thumbnail(image))) as thumbnail:
            return thumbnail.convert("RGB")
    except (IndexProblem, OSError):
        return Pillow.new("RGB", SIZE, NEUTRAL_GREY)


def on_tile(picture: Pillow.Image) -> Pillow.Image:
    """The whole picture in the middle of a tile."""
    fitted = ImageOps.contain(picture, SIZE, Pillow.Resampling.BICUBIC)
    if fitted.size == SIZE:
        return fitted
    backdrop = ImageOps.fit(picture, (SIZE[0] // 8, SIZE[1] // 8)).filter(ImageFilter.GaussianBlur(2)).resize(SIZE)
    backdrop = ImageEnhance.Brightness(backdrop).enhance(0.6)
    backdrop.paste(fitted, ((SIZE[0] - fitted.width) // 2, (SIZE[1] - fitted.height) // 2))
    return backdrop


def _outline(picture: Pillow.Image, box: Box, across: float, down: float) -> None:
    x0, y0 = round(box.x0 * across), round(box.y0 * down)
    x1, y1 = round(box.x1 * across) - 1, round(box.y1 * down) - 1
    pen = ImageDraw.Draw(picture)
    pen.rectangle((x0, y0, x1, y1), outline="white", width=5)
    pen.rectangle((x0 + 1, y0 + 1, x1 - 1, y1 - 1), outline=OUTLINE, width=3)
