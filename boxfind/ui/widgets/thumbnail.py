"""JPEG previews: gallery thumbnails, outlined regions, and lines between matching details."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from index.gallery import Gallery
from retrieval.errors import IndexProblem
from retrieval.images.resize import thumbnail
from retrieval.images.to_rgb import NEUTRAL_GREY
from retrieval.ranking.verification import Details
from retrieval.types import Box, Image

COLOURS = ("#ff5a1f", "#1c7ed6", "#ae3ec9")
"""Of outlines: for the first object, the second, and all others."""
PLACEHOLDER: Image = np.full((240, 320, 3), NEUTRAL_GREY, np.uint8)
"""Shown instead of a missing picture."""
LINE = (255, 214, 10)
GAP = 8
MOST_LINES = 60


def thumbnail_of(gallery: Gallery, image: str) -> bytes:
    """The thumbnail JPEG from the index; a placeholder if the index has been deleted."""
    try:
        return gallery.thumbnail(image)
    except IndexProblem:
        return thumbnail(PLACEHOLDER)


def outlined(
    image: Image,
    boxes: Sequence[Box],
    width: int,
    room: tuple[int, int],
    colours: Sequence[str] = COLOURS,
    line: int = 3,
) -> bytes:
    """A JPEG with box outlines, at most `room` (width, height) pixels large.

    Boxes are in pixels of the original, which is `width` pixels wide; the image may be smaller. Lines are `line` pixels
    wide on a white ground. Each box has its own colour; the last colour is for all remaining boxes.
    """
    picture = _fitted(image, room)
    scale = picture.width / width
    pen = ImageDraw.Draw(picture)
    for number, box in enumerate(boxes):
        x0, y0, x1, y1 = (round(edge * scale) for edge in (box.x0, box.y0, box.x1, box.y1))
        x1, y1 = max(x1, x0 + 3), max(y1, y0 + 3)  # Pillow refuses an empty inner rectangle
        pen.rectangle((x0, y0, x1 - 1, y1 - 1), outline="white", width=line + 2)
        pen.rectangle((x0 + 1, y0 + 1, x1 - 2, y1 - 2), outline=colours[min(number, len(colours) - 1)], width=line)
    return _jpeg(picture)


def joined(crop: Image, image: Image, width: int, details: Details, side: int) -> bytes:
    """A JPEG of crop and image side by side, each at most `side` pixels wide and high, with lines between matches.

    `width` is that of the original image, as for `outlined`. Draws at most MOST_LINES of the matches.
    """
    left, right = _fitted(crop, (side, side)), _fitted(image, (side, side))
    board = Pillow.new("RGB", (left.width + GAP + right.width, max(left.height, right.height)), NEUTRAL_GREY)
    board.paste(left, (0, 0))
    board.paste(right, (left.width + GAP, 0))
    pen = ImageDraw.Draw(board)
    starts = details.query * (left.width / crop.shape[1])
    ends = details.candidate * (right.width / width) + (left.width + GAP, 0)
    for number in np.unique(np.linspace(0, len(starts) - 1, MOST_LINES).astype(int)):
        start, end = tuple(starts[number].tolist()), tuple(ends[number].tolist())
        pen.line((*start, *end), fill=LINE, width=1)
        pen.circle(start, 3, outline=LINE)
        pen.circle(end, 3, outline=LINE)
    return _jpeg(board)


def _fitted(image: Image, room: tuple[int, int]) -> Pillow.Image:
    """A copy scaled to the given width and height at most, enlarged at most 4 times."""
    height, width = image.shape[:2]
    scale = min(room[0] / width, room[1] / height, 4.0)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return Pillow.fromarray(image).resize(size, Pillow.Resampling.BICUBIC)


def _jpeg(picture: Pillow.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    return out.getvalue()
