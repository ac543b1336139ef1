"""JPEG previews: gallery thumbnails, outlined regions, and lines between matching details."""

import functools
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from boxfind.ui.widgets.colours import COLOURS
from index.gallery import Gallery
from retrieval.errors import IndexProblem
from retrieval.images.to_rgb import NEUTRAL_GREY
from retrieval.ranking.verification import Details
from retrieval.types import Box, Image

LINE = (255, 214, 10)
GAP = 8
MOST_LINES = 60


def thumbnail_of(gallery: Gallery, image: str) -> bytes:
    """The thumbnail JPEG from the index; a grey one if the index has been removed."""
    try:
        return gallery.thumbnail(image)
    except IndexProblem:
        return grey()


def outlined(image: Image, boxes: Sequence[Box], side: int) -> bytes:
    """A JPEG with box outlines, at most `side` pixels on its longest side. Boxes are in pixels of the image."""
    picture, scale = _fitted(image, side)
    pen = ImageDraw.Draw(picture)
    for number, box in enumerate(boxes):
        x0, y0, x1, y1 = (round(edge * scale) for edge in (box.x0, box.y0, box.x1, box.y1))
        pen.rectangle((x0, y0, x1 - 1, y1 - 1), outline="white", width=5)
        pen.rectangle((x0 + 1, y0 + 1, x1 - 2, y1 - 2), outline=COLOURS[min(number, len(COLOURS) - 1)], width=3)
    return _jpeg(picture)


def joined(crop: Image, picture: Image, details: Details, side: int) -> bytes:
    """A JPEG of crop and picture side by side, each at most `side` pixels wide and high, with lines between matches.

    Draws at most MOST_LINES of the matches.
    """
    left, left_scale = _fitted(crop, side)
    right, right_scale = _fitted(picture, side)
    board = Pillow.new("RGB", (left.width + GAP + right.width, max(left.height, right.height)), NEUTRAL_GREY)
    board.paste(left, (0, 0))
    board.paste(right, (left.width + GAP, 0))
    pen = ImageDraw.Draw(board)
    for number in np.unique(np.linspace(0, len(details.query) - 1, MOST_LINES).astype(int)):
        start = tuple((details.query[number] * left_scale).tolist())
        x, y = (details.candidate[number] * right_scale).tolist()
        end = (x + left.width + GAP, y)
        pen.line((*start, *end), fill=LINE, width=1)
        for place in (start, end):
            pen.circle(place, 3, outline=LINE)
    return _jpeg(board)


@functools.cache
def grey() -> bytes:
    """A placeholder for a missing picture."""
    return _jpeg(Pillow.new("RGB", (320, 240), NEUTRAL_GREY))


def _fitted(image: Image, side: int) -> tuple[Pillow.Image, float]:
    """A copy scaled to at most `side` pixels, enlarged at most 4 times; and its scale."""
    scale = min(side / max(image.shape[:2]), 4.0)
    size = max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1)
    return Pillow.fromarray(image).resize(size, Pillow.Resampling.BICUBIC), scale


def _jpeg(picture: Pillow.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    return out.getvalue()
