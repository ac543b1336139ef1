"""Rotate, tilt and place flat cutouts in perspective.

The longest side of a cutout has length 1, and its centre is the origin.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

Homography = NDArray[np.float64]
"""(3, 3), maps points of a cutout to pixels of an image."""

EYE = 2.6
"""Viewer distance in multiples of the cutout's longest side; smaller is stronger perspective."""
FINER = 2
"""Supersampling factor for antialiasing."""


def tilted(degrees: float, about_x: float = 0, about_y: float = 0) -> Homography:
    """Rotate in the plane, then tilt about the horizontal and the vertical axis; angles in degrees."""
    a, b, c = np.radians((degrees, about_x, about_y))
    x, y = np.array([(np.cos(a), -np.sin(a)), (np.sin(a), np.cos(a))])
    y, z = y * np.cos(b), y * np.sin(b)
    x, z = x * np.cos(c), z + x * np.sin(c)
    return np.array([(*x, 0), (*y, 0), (*z / EYE, 1)])


def scale_and_move(scale: float, offset: NDArray[np.float64]) -> Homography:
    """Scale about the origin, then move by the offset (2,)."""
    return np.array([(scale, 0, offset[0]), (0, scale, offset[1]), (0, 0, 1)])


def corners(place: Homography, size: tuple[int, int]) -> NDArray[np.float64]:
    """Return where the corners of a cutout of this size go, clockwise from the top left. -> (4, 2)."""
    width, height = np.array(size) / max(size) / 2
    flat = np.array([(-width, -height, 1), (width, -height, 1), (width, height, 1), (-width, height, 1)])
    x, y, w = place @ flat.T
    return np.stack([x / w, y / w], axis=1)


def warp(cutout: Pillow.Image, place: Homography) -> tuple[Pillow.Image, int, int]:
    """Warp a cutout; return it and the position of its top left corner in the image."""
    rim = corners(place, cutout.size)
    x, y = np.floor(rim.min(0)).astype(int).tolist()
    width, height = (np.ceil(rim.max(0)).astype(int) + 1 - (x, y)).tolist()
    sheet = cutout.copy()
    sheet.thumbnail((FINER * max(width, height),) * 2)
    to_sheet = scale_and_move(max(sheet.size), np.array(sheet.size) / 2)
    back = to_sheet @ np.linalg.inv(scale_and_move(FINER, -FINER * np.array([x, y])) @ place)
    size = (width * FINER, height * FINER)
    coefficients = (back / back[2, 2]).ravel()[:8].tolist()
    large = sheet.transform(size, Pillow.Transform.PERSPECTIVE, coefficients, Pillow.Resampling.BILINEAR)
    return large.reduce(FINER), x, y
