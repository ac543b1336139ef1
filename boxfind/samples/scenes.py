"""Compose the scenes of the sample gallery: a background, clutter, tilted objects, shadows and light."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageChops, ImageFilter

from boxfind.samples.backgrounds import BACKGROUNDS
from boxfind.samples.perspective import Homography, corners, scale_and_move, tilted, warp
from boxfind.samples.svg import drawing_names, render
from retrieval.types import Box, Image

Random = np.random.Generator

MARGIN = 8
"""Minimum distance in pixels between an object and the edge of the image."""
CLUTTER = drawing_names("clutter")
OCCLUDED = 0.4
"""Share of the images in which clutter covers a corner of the object."""
SHADOW = [alpha // 2 for alpha in range(256)]
"""Opacity of a shadow by the opacity of the object."""


def draw_scene(
    rng: Random, background: str, cutouts: Sequence[Pillow.Image], sides: tuple[float, float]
) -> tuple[Image, list[Box]]:
    """Draw one object, or several side by side; return the box of each, hidden parts included.

    `sides` is the range of an object's longest side as a share of the shorter side of the image.
    """
    width, height = (640, 480) if len(cutouts) > 1 or rng.random() < 0.72 else (480, 640)
    canvas = Pillow.fromarray(BACKGROUNDS[background](rng, width, height).clip(0, 255).astype(np.uint8))
    for _ in range(rng.integers(3, 7)):
        _add_clutter(canvas, rng, rng.uniform(0, canvas.size), rng.uniform(40, 105))
    edges = np.linspace(0, width, len(cutouts) + 1)
    areas = [np.array([(left, 0), (right, height)]) for left, right in pairwise(edges)]
    if rng.random() < 0.5:
        areas.reverse()
    places = [_random_place(rng, cutout, area, sides) for cutout, area in zip(cutouts, areas, strict=True)]
    patches = [warp(cutout, place) for cutout, place in zip(cutouts, places, strict=True)]
    for patch in patches:
        _paste(canvas, *patch)
    if rng.random() < OCCLUDED:
        rim = corners(places[0], cutouts[0].size)
        corner = rng.choice(rim)
        towards = corner + (rim.mean(0) - corner) * rng.uniform(0.1, 0.35)
        _add_clutter(canvas, rng, towards, 0.26 * np.ptp(rim, axis=0).max())
    return _light(rng, canvas), [_box(*patch).clipped(width, height) for patch in patches]


def _random_place(
    rng: Random, cutout: Pillow.Image, area: NDArray[np.float64], sides: tuple[float, float]
) -> Homography:
    """Choose a random tilt, size and position inside the area [(x0, y0), (x1, y1)]; shrink what does not fit."""
    tilt = tilted(np.clip(rng.normal(0, 16), -40, 40), *rng.uniform(-28, 28, 2))
    rim = corners(tilt, cutout.size)
    extent = area[1] - area[0]
    wanted = rng.uniform(*sides) * min(480, 1.4 * extent[0])
    side = min(wanted, *(extent - 2 * MARGIN) / np.ptp(rim, axis=0))
    low, high = area[0] + MARGIN - side * rim.min(0), area[1] - MARGIN - side * rim.max(0)
    return scale_and_move(side, low + rng.random(2) * (high - low)) @ tilt


def _add_clutter(canvas: Pillow.Image, rng: Random, centre: NDArray[np.float64], side: float) -> None:
    """Add a random distractor, turned and tinted at random."""
    cutout = render(f"clutter/{rng.choice(CLUTTER)}")
    tint = Pillow.new("RGBA", cutout.size, tuple(rng.integers(175, 256, 3).tolist()))
    place = scale_and_move(side, centre) @ tilted(rng.uniform(-180, 180))
    _paste(canvas, *warp(ImageChops.multiply(cutout, tint), place))


def _paste(canvas: Pillow.Image, patch: Pillow.Image, x: int, y: int) -> None:
    """Paste a patch with a soft shadow."""
    blur = 2 + 0.022 * max(patch.size)
    pad, shift = round(3 * blur), round(1.1 * blur)
    shape = Pillow.new("L", (patch.width + 2 * pad, patch.height + 2 * pad))
    shape.paste(patch.getchannel("A").point(SHADOW), (pad, pad))
    shadow = shape.filter(ImageFilter.GaussianBlur(blur))
    canvas.paste((28, 24, 30), (x - pad + shift, y - pad + shift), shadow)
    canvas.paste(patch, (x, y), patch)


def _box(patch: Pillow.Image, x: int, y: int) -> Box:
    """Return the bounding box of the pixels that a patch covers at least half."""
    rows, columns = np.nonzero(np.asarray(patch.getchannel("A")) >= 128)
    return Box(x + int(columns.min()), y + int(rows.min()), x + int(columns.max()) + 1, y + int(rows.max()) + 1)


def _light(rng: Random, canvas: Pillow.Image) -> Image:
    """Apply random light: brightness, contrast, colour temperature, a gradient, vignetting, blur and noise."""
    x, y = np.linspace(-1, 1, canvas.width), np.linspace(-1, 1, canvas.height)[:, None]
    warmth, slope = rng.uniform(-0.1, 0.12), rng.uniform(-0.14, 0.14, 2)
    gain = 1 + slope[0] * x + slope[1] * y - rng.uniform(0.05, 0.22) * (x**2 + y**2) / 2
    tint = np.array([1 + warmth, 1, 1 - warmth])
    blurred, noisy = rng.random(2) < 0.35
    if blurred:
        canvas = canvas.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.0)))
    contrast = rng.uniform(0.84, 1.12)
    values = (np.asarray(canvas, np.float32) - 128) * contrast + 128
    values *= (rng.uniform(0.88, 1.14) * gain[..., None] * tint).astype(np.float32)
    grain = rng.standard_normal((*gain.shape, 1), np.float32)
    values += grain * np.float32(rng.uniform(3, 9) if noisy else 1.5)
    return values.clip(0, 255).astype(np.uint8)
