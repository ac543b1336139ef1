"""Cut boxes out of pictures as another photograph would show them: turned, smaller, brighter, compressed."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from boxfind.samples.perspective import corners, tilted
from retrieval.regions.proposals import propose_regions
from retrieval.types import Box, Image

LEAST_SIDE = 48
"""Shortest side of a box, in pixels; smaller ones are blurs."""
TURN, TILT = 10.0, 12.0
"""Most degrees of rotation in the plane, and about the horizontal and the vertical axis."""
SHIFT, ZOOM = 0.08, (0.9, 1.2)
"""Most that a box is moved, as a share of its side, and the range of its new sides, as shares of the old ones."""
SIDES = (80, 200)
"""Range of the longest side of a crop, in pixels."""
BRIGHTNESS, CONTRAST = (0.7, 1.3), (0.7, 1.3)
QUALITIES = (25, 75)
"""Range of the JPEG quality."""


def draw_box(image: Image, rng: np.random.Generator) -> Box:
    """Draw one of the boxes that stand out in an image (H, W, 3), or all of it; in its pixels."""
    found = [region.box for region in propose_regions(image)]
    boxes = [Box.whole(image), *(box for box in found if min(box.width, box.height) >= LEAST_SIDE)]
    return boxes[rng.integers(len(boxes))]


def augment(image: Image, box: Box, rng: np.random.Generator) -> Image:
    """Cut a box out of an image (H, W, 3), changed by chance -> (h, w, 3) with a longest side of SIDES.

    The box is moved, zoomed, turned and tilted, as far as it stays in the image; then size, brightness, contrast and
    JPEG quality change. Equal generators give equal crops. A crop has no more pixels than its box.
    """
    place = turned_box(box, (image.shape[1], image.shape[0]), rng)
    longest = max(box.width, box.height)
    shrink = min(int(rng.integers(SIDES[0], SIDES[1] + 1)) / longest, 1.0)
    size = (max(round(box.width * shrink), 1), max(round(box.height * shrink), 1))
    return compress(relight(cut_out(image, place, size), rng), int(rng.integers(QUALITIES[0], QUALITIES[1] + 1)))


def turned_box(box: Box, size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """The corners of a moved, zoomed, turned and tilted box, clipped to an image of this (width, height).

    -> (4, 2): x and y, clockwise from the top left.
    """
    sides = np.array([box.width, box.height])
    turn, about_x, about_y = rng.uniform(-1, 1, 3) * (TURN, TILT, TILT)
    shape = corners(tilted(turn, about_x, about_y), (box.width, box.height)) * max(box.width, box.height)
    centre = np.array([box.x0 + box.x1, box.y0 + box.y1]) / 2 + rng.uniform(-SHIFT, SHIFT, 2) * sides
    return np.asarray((shape * rng.uniform(*ZOOM) + centre).clip(0, size))


def cut_out(image: Image, place: NDArray[np.float64], size: tuple[int, int]) -> Image:
    """Warp the quadrangle with the corners `place` (4, 2) of an image (H, W, 3) to `size` (w, h) -> (h, w, 3)."""
    low, high = np.floor(place.min(axis=0)).astype(int), np.ceil(place.max(axis=0)).astype(int)
    around = Pillow.fromarray(image[low[1] : high[1], low[0] : high[0]])
    shrink = min(max(np.divide(size, high - low)), 1.0)
    small = around.resize(tuple(np.maximum(np.rint((high - low) * shrink), 1).astype(int).tolist()), reducing_gap=2.0)
    inside = (place - low) * np.divide(small.size, high - low)
    top_left, top_right, bottom_right, bottom_left = inside.tolist()
    quad = (*top_left, *bottom_left, *bottom_right, *top_right)
    return np.asarray(small.transform(size, Pillow.Transform.QUAD, quad, Pillow.Resampling.BICUBIC))


def relight(image: Image, rng: np.random.Generator) -> Image:
    """Change brightness and contrast of an image (H, W, 3) -> (H, W, 3)."""
    mean = image.mean(dtype=np.float64)
    light = (image - mean) * rng.uniform(*CONTRAST) + mean * rng.uniform(*BRIGHTNESS)
    return np.asarray(light.round().clip(0, 255), np.uint8)


def compress(image: Image, quality: int) -> Image:
    """An image (H, W, 3) as JPEG of this quality shows it -> (H, W, 3)."""
    file = io.BytesIO()
    Pillow.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Pillow.open(file).convert("RGB"))
