"""JPEG previews: gallery thumbnails, and lines between matching details."""

import io

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from index.gallery import Gallery
from retrieval.errors import IndexProblem
from retrieval.images.decode import LoadedImage
from retrieval.images.resize import thumbnail
from retrieval.images.to_rgb import NEUTRAL_GREY
from retrieval.ranking.verification import Details
from retrieval.types import Image

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


def joined(crop: Image, image: LoadedImage, details: Details, side: int) -> tuple[bytes, tuple[int, int]]:
    """A JPEG of crop and image side by side, each at most `side` pixels wide and high, with lines between matches.

    Returns it with its (width, height). Matches in the image are in pixels of the original; at most MOST_LINES of them
    are drawn.
    """
    left, right = _fitted(crop, side), _fitted(image.image, side)
    board = Pillow.new("RGB", (left.width + GAP + right.width, max(left.height, right.height)), NEUTRAL_GREY)
    board.paste(left, (0, 0))
    board.paste(right, (left.width + GAP, 0))
    pen = ImageDraw.Draw(board)
    starts = details.query * (left.width / crop.shape[1])
    ends = details.candidate * (right.width / image.width) + (left.width + GAP, 0)
    for number in np.unique(np.linspace(0, len(starts) - 1, MOST_LINES).astype(int)):
        start, end = tuple(starts[number].tolist()), tuple(ends[number].tolist())
        pen.line((*start, *end), fill=LINE, width=1)
        pen.circle(start, 3, outline=LINE)
        pen.circle(end, 3, outline=LINE)
    out = io.BytesIO()
    board.save(out, "JPEG", quality=88)
    return out.getvalue(), board.size


def _fitted(image: Image, side: int) -> Pillow.Image:
    """A copy scaled to at most `side` pixels, enlarged at most 4 times."""
    height, width = image.shape[:2]
    scale = min(side / width, side / height, 4.0)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return Pillow.fromarray(image).resize(size, Pillow.Resampling.BICUBIC)
