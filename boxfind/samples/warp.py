"""Render flat cutouts rotated, tilted and in perspective."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from boxfind.samples.sketch import Cutout
from retrieval.types import Box

EYE = 2.6
"""Viewer distance in multiples of the cutout's longest side; smaller is stronger perspective."""
FINER = 2
"""Supersampling factor for antialiasing."""


@dataclass(frozen=True, slots=True)
class Place:
    """Placement of a cutout: centre and longest side in pixels, in-plane rotation in degrees, and tilt."""

    x: float
    y: float
    side: float
    degrees: float = 0.0
    lean: tuple[float, float] = (0.0, 0.0)
    """Tilt in degrees about the horizontal and the vertical axis."""

    def corners(self, width: int, height: int) -> NDArray[np.float64]:
        """Return the corners of a cutout of this size in the image, clockwise from the top left. -> (4, 2)."""
        flat = np.array([(-width, -height), (width, -height), (width, height), (-width, height)], float)
        flat *= self.side / 2 / max(width, height)
        a, b, c = np.radians([self.degrees, *self.lean])
        x, y = _spun(flat, a)
        y, z = y * np.cos(b), y * np.sin(b)
        x, z = x * np.cos(c), z + x * np.sin(c)
        near = EYE * self.side / (EYE * self.side + z)
        return np.stack([self.x + x * near, self.y + y * near], axis=1)


@dataclass(frozen=True, slots=True)
class Patch:
    """A warped cutout and the position of its top left corner in the image."""

    cutout: Pillow.Image
    x: int
    y: int

    @property
    def box(self) -> Box:
        """The bounding box of pixels at least half covered; may extend beyond the image."""
        covered = np.asarray(self.cutout.getchannel("A")) >= 128
        columns, rows = np.flatnonzero(covered.any(0)), np.flatnonzero(covered.any(1))
        return Box(
            self.x + int(columns[0]), self.y + int(rows[0]), self.x + int(columns[-1]) + 1, self.y + int(rows[-1]) + 1
        )


def warped(cutout: Cutout, place: Place) -> Patch:
    """Warp a cutout to its place."""
    height, width = cutout.shape[:2]
    corners = place.corners(width, height)
    x, y = (int(low) - 1 for low in np.floor(corners.min(0)))
    size = np.ceil(corners.max(0)).astype(int) + 1 - (x, y)
    shrink = min(1.0, FINER * place.side / max(width, height))
    flat = (max(round(width * shrink), 1), max(round(height * shrink), 1))
    sheet = Pillow.fromarray(cutout).resize(flat, Pillow.Resampling.LANCZOS)
    back = homography((corners - (x, y)) * FINER, np.array([(0, 0), (flat[0], 0), flat, (0, flat[1])], float))
    large = sheet.transform(
        (int(size[0]) * FINER, int(size[1]) * FINER), Pillow.Transform.PERSPECTIVE, back, Pillow.Resampling.BICUBIC
    )
    return Patch(large.reduce(FINER), x, y)


def homography(origin: NDArray[np.float64], target: NDArray[np.float64]) -> list[float]:
    """Return the eight coefficients of the homography from four points to four others, in Pillow's order."""
    equations = []
    for (x, y), (u, v) in zip(origin, target, strict=True):
        equations.append((x, y, 1, 0, 0, 0, -u * x, -u * y))
        equations.append((0, 0, 0, x, y, 1, -v * x, -v * y))
    solved = np.linalg.solve(np.array(equations, float), target.ravel())
    return [float(value) for value in solved]


def _spun(points: NDArray[np.float64], angle: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = points.T
    return x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
