"""Resize and crop images, and make JPEG thumbnails."""

import io

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


def crop_image(image: Image, box: Box) -> Image:
    """A view of the pixels in a box, which must lie within the image."""
    return image[box.y0 : box.y1, box.x0 : box.x1]


def thumbnail(image: Image, side: int = 320, quality: int = 80) -> bytes:
    """Encode a baseline JPEG with a longest side of at most `side` pixels and no metadata."""
    scale = min(side / max(image.shape[:2]), 1.0)
    height, width = (max(round(length * scale), 1) for length in image.shape[:2])
    out = io.BytesIO()
    Pillow.fromarray(resize_image(image, width, height)).save(out, "JPEG", quality=quality)
    return out.getvalue()
