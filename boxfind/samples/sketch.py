"""Draw antialiased shapes and text on a transparent sheet."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

Cutout = NDArray[np.uint8]
"""(H, W, 4) RGBA cutout of an object; alpha 0 outside the object."""

Points = Sequence[tuple[float, float]]

FINER = 3
"""Supersampling factor for antialiasing."""


class Sketch:
    """A drawing sheet. Lengths are in pixels of the finished sheet; colours are Pillow colours."""

    def __init__(self, width: int, height: int, fill: str = "#00000000") -> None:
        self.sheet = Pillow.new("RGBA", (width * FINER, height * FINER), fill)
        self.pen = ImageDraw.Draw(self.sheet)

    def rectangle(
        self, x0: float, y0: float, x1: float, y1: float, fill: str | None, radius: float = 0, edge: str | None = None
    ) -> None:
        """Draw a rounded rectangle; `edge` is the colour of a 3 pixel outline inside it."""
        self.pen.rounded_rectangle(_finer(x0, y0, x1, y1), radius * FINER, fill, edge, 3 * FINER if edge else 0)

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: str | None, ring: float = 0) -> None:
        """Draw an ellipse by centre and radii; with `ring`, only an outline of this width inside the rim."""
        box = _finer(x - rx, y - ry, x + rx, y + ry)
        if ring:
            self.pen.ellipse(box, None, fill, round(ring * FINER))
        else:
            self.pen.ellipse(box, fill)

    def polygon(self, points: Points, fill: str) -> None:
        self.pen.polygon([(x * FINER, y * FINER) for x, y in points], fill)

    def line(self, points: Points, fill: str, width: float) -> None:
        self.pen.line([(x * FINER, y * FINER) for x, y in points], fill, round(width * FINER), joint="curve")

    def text(self, x: float, y: float, words: str, size: float, fill: str, bold: float = 0, anchor: str = "mm") -> None:
        """Draw text; `bold` is extra stroke width, `anchor` as in Pillow (mm: x, y is the middle)."""
        self.pen.text((x * FINER, y * FINER), words, fill, _font(size), anchor, stroke_width=bold * FINER)

    def stick(self, cutout: Cutout, x: float, y: float, width: int, height: int) -> None:
        """Paste a cutout with its top left corner at x, y."""
        piece = Pillow.fromarray(cutout).resize((width * FINER, height * FINER), Pillow.Resampling.BICUBIC)
        self.sheet.alpha_composite(piece, (round(x * FINER), round(y * FINER)))

    def gradient(self, top: str, bottom: str) -> None:
        """Recolour everything drawn so far with a vertical gradient."""
        steps = Pillow.linear_gradient("L").resize(self.sheet.size)
        ramp = Pillow.composite(
            Pillow.new("RGBA", self.sheet.size, bottom), Pillow.new("RGBA", self.sheet.size, top), steps
        )
        ramp.putalpha(self.sheet.getchannel("A"))
        self.sheet.paste(ramp)

    def cutout(self) -> Cutout:
        """Return the finished sheet."""
        return np.asarray(self.sheet.reduce(FINER))


@cache
def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * FINER)


def _finer(*lengths: float) -> tuple[float, ...]:
    return tuple(length * FINER for length in lengths)


def around(x: float, y: float, radius: float, count: int, first: float = 0) -> list[tuple[float, float]]:
    """Return `count` evenly spaced points on a circle, from angle `first` (in turns; 0 is right, 0.25 is below)."""
    turns = 2 * np.pi * (first + np.arange(count) / count)
    return [(x + radius * float(np.cos(turn)), y + radius * float(np.sin(turn))) for turn in turns]


def rolled(label: Cutout, bend: int) -> Cutout:
    """Wrap a flat label around an upright cylinder, seen slightly from above. (H, W, 4) -> (H + bend, 2 W / 3, 4)."""
    height, width = label.shape[0] * FINER, label.shape[1] * FINER
    flat = np.asarray(Pillow.fromarray(label).resize((width, height), Pillow.Resampling.BICUBIC))
    x = np.linspace(-1, 1, 2 * width // 3)
    source = ((np.arcsin(x) / np.pi * 0.94 + 0.5) * (width - 1)).astype(int)
    sunk = np.round(bend * FINER * np.sqrt(1 - x**2)).astype(int)
    out = np.zeros((height + bend * FINER, len(x), 4), np.float32)
    for column, (origin, drop) in enumerate(zip(source, sunk, strict=True)):
        out[drop : drop + height, column] = flat[:, origin]
    light = 0.52 + 0.56 * np.clip(np.cos(np.arcsin(x) + 0.55), 0, 1) + 0.28 * np.exp(-(((x + 0.5) / 0.1) ** 2))
    out[..., :3] *= light[None, :, None]
    return np.asarray(Pillow.fromarray(np.clip(out, 0, 255).astype(np.uint8)).reduce(FINER))
