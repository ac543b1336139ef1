"""Resize and crop images, and make JPEG thumbnails."""

import io
from math import ceil, floor, sqrt

import cv2
import numpy as np
from PIL import Image as Pillow

from retrieval.types import Box, Image


def resize_image(image: Image, width: int, height: int) -> Image:
    """Resize by area averaging if either side shrinks, else bicubic. (H, W, 3) -> (height, width, 3)."""
    if image.shape[:2] == (height, width):
        return image
    smaller = width < image.shape[1] or height < image.shape[0]
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC))


def shrink_image(image: Image, pixels: int) -> Image:
    """Scale an image down to about `pixels` pixels; a smaller one is returned as it is."""
    height, width = image.shape[:2]
    scale = min(sqrt(pixels / (width * height)), 1.0)
    return resize_image(image, max(round(width * scale), 1), max(round(height * scale), 1))


def crop_image(image: Image, box: Box, size: tuple[int, int] | None = None) -> Image:
    """A view of the pixels in a box, which must lie within the image.

    The box is in pixels of the original, whose (width, height) is `size` if `image` is a smaller copy. Its edges are
    then rounded outwards, so that the crop has at least one pixel.
    """
    height, width = image.shape[:2]
    across, down = (width / size[0], height / size[1]) if size else (1.0, 1.0)
    x0, y0 = min(floor(box.x0 * across), width - 1), min(floor(box.y0 * down), height - 1)
    x1, y1 = max(ceil(box.x1 * across), x0 + 1), max(ceil(box.y1 * down), y0 + 1)
    return image[y0:y1, x0:x1]


def thumbnail(image: Image, side: int = 320, quality: int = 80) -> bytes:
    """Encode a baseline JPEG with a longest side of at most `side` pixels and no metadata."""
    scale = min(side / max(image.shape[:2]), 1.0)
    height, width = (max(round(length * scale), 1) for length in image.shape[:2])
    out = io.BytesIO()
    Pillow.fromarray(resize_image(image, width, height)).save(out, "JPEG", quality=quality)
    return out.getvalue()


def lossless_png(image: Image) -> bytes:
    """Encode a PNG, quickly and without metadata."""
    out = io.BytesIO()
    Pillow.fromarray(image).save(out, "PNG", compress_level=1)
    return out.getvalue()
