"""Compose the scenes of the sample gallery: objects, background, clutter and light."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image as Pillow
from PIL import ImageFilter

from boxfind.samples.backgrounds import BACKGROUNDS
from boxfind.samples.clutter import CLUTTER
from boxfind.samples.light import Light, lit, some_light
from boxfind.samples.sketch import Cutout
from boxfind.samples.warp import Patch, Place, warped
from retrieval.types import Box, Image

Random = np.random.Generator

MARGIN = 8
"""Minimum distance in pixels between an object and the edge of the image."""


@dataclass(frozen=True, slots=True)
class Bit:
    """A distractor: its name in CLUTTER, the seed of its appearance, and its place."""

    name: str
    seed: int
    place: Place


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything about an image except the objects themselves."""

    width: int
    height: int
    seed: int
    background: str
    places: tuple[Place, ...]
    """The places of the objects."""
    light: Light
    under: tuple[Bit, ...] = ()
    over: tuple[Bit, ...] = ()
    """Clutter over the objects, which may hide parts of them."""


def plan_scene(rng: Random, background: str, cutouts: Sequence[Cutout], sides: tuple[float, float]) -> Scene:
    """Plan a scene for one object or two side by side; `sides`: range of their size relative to the shorter side."""
    width, height = (640, 480) if len(cutouts) > 1 or rng.random() < 0.72 else (480, 640)
    halves = np.linspace(0, width, len(cutouts) + 1).astype(int)
    areas = [Box(int(x0), 0, int(x1), height) for x0, x1 in pairwise(halves)]
    if rng.random() < 0.5:
        areas.reverse()
    places = [_laid(rng, cutout, area, sides) for cutout, area in zip(cutouts, areas, strict=True)]
    under = [_bit(rng, *rng.uniform((0, 0), (width, height))) for _ in range(int(rng.integers(3, 7)))]
    over = [_on_rim(rng, cutouts[0], places[0])] if rng.random() < 0.4 else []
    seed, light = int(rng.integers(1 << 31)), some_light(rng)
    return Scene(width, height, seed, background, tuple(places), light, tuple(under), tuple(over))


def draw_scene(scene: Scene, cutouts: Sequence[Cutout]) -> tuple[Image, list[Box]]:
    """Draw the image; return it with the box of each object (including hidden parts, clipped to the image)."""
    ground = BACKGROUNDS[scene.background](np.random.default_rng(scene.seed), scene.width, scene.height)
    canvas = Pillow.fromarray(np.clip(ground, 0, 255).astype(np.uint8))
    for bit in scene.under:
        _put(canvas, _seen(bit))
    patches = [warped(cutout, place) for cutout, place in zip(cutouts, scene.places, strict=True)]
    for patch in patches:
        _put(canvas, patch)
    for bit in scene.over:
        _put(canvas, _seen(bit))
    boxes = [patch.box.clipped(scene.width, scene.height) for patch in patches]
    return lit(np.asarray(canvas), scene.light, scene.seed), boxes


def _laid(rng: Random, cutout: Cutout, area: Box, sides: tuple[float, float]) -> Place:
    """Choose a random place inside the area, shrunk if the object does not fit."""
    side = float(rng.uniform(*sides)) * min(480, area.width * 1.4)
    degrees = float(np.clip(rng.normal(0, 16), -40, 40))
    lean = (float(rng.uniform(-28, 28)), float(rng.uniform(-28, 28)))
    while True:
        corners = Place(0, 0, side, degrees, lean).corners(cutout.shape[1], cutout.shape[0])
        low = np.array([area.x0, area.y0]) + MARGIN - corners.min(0)
        high = np.array([area.x1, area.y1]) - MARGIN - corners.max(0)
        if (low <= high).all():
            x, y = rng.uniform(low, high)
            return Place(float(x), float(y), side, degrees, lean)
        side *= 0.92


def _bit(rng: Random, x: float, y: float) -> Bit:
    name = list(CLUTTER)[int(rng.integers(len(CLUTTER)))]
    place = Place(x, y, float(rng.uniform(40, 105)), float(rng.uniform(-180, 180)))
    return Bit(name, int(rng.integers(1 << 31)), place)


def _on_rim(rng: Random, cutout: Cutout, place: Place) -> Bit:
    """Choose a distractor that covers a corner of an object."""
    corner = place.corners(cutout.shape[1], cutout.shape[0])[int(rng.integers(4))]
    x, y = corner + (np.array([place.x, place.y]) - corner) * rng.uniform(0.1, 0.35)
    bit = _bit(rng, float(x), float(y))
    return Bit(bit.name, bit.seed, Place(bit.place.x, bit.place.y, place.side * 0.26, bit.place.degrees))


def _seen(bit: Bit) -> Patch:
    return warped(CLUTTER[bit.name](np.random.default_rng(bit.seed)), bit.place)


def _put(canvas: Pillow.Image, patch: Patch) -> None:
    """Paste a patch with a soft shadow."""
    height = 2 + 0.022 * max(patch.cutout.size)
    pad = round(3 * height)
    shape = Pillow.new("L", (patch.cutout.width + 2 * pad, patch.cutout.height + 2 * pad))
    shape.paste(patch.cutout.getchannel("A").point(lambda alpha: alpha * 0.5), (pad, pad))
    shadow = shape.filter(ImageFilter.GaussianBlur(height))
    shift = round(height * 1.1)
    canvas.paste((28, 24, 30), (patch.x - pad + shift, patch.y - pad + shift), shadow)
    canvas.paste(patch.cutout, (patch.x, patch.y), patch.cutout)
