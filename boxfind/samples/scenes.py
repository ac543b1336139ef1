"""A picture of the sample gallery: an object on some ground, among other things, in some light."""

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
"""Pixels between an object and the edge of the picture."""


@dataclass(frozen=True, slots=True)
class Bit:
    """A small thing that is none of the objects: an entry of CLUTTER, the seed of its looks, where it lies."""

    name: str
    seed: int
    place: Place


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything about a picture but the objects themselves."""

    width: int
    height: int
    seed: int
    background: str
    places: tuple[Place, ...]
    """Where the objects lie."""
    light: Light
    under: tuple[Bit, ...] = ()
    over: tuple[Bit, ...] = ()
    """May hide a part of an object."""


def plan_scene(rng: Random, background: str, cutouts: Sequence[Cutout], sides: tuple[float, float]) -> Scene:
    """A scene for one object or for two side by side, their longest side within `sides` (of the picture's shorter)."""
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
    """The picture, and the box of each object in it (hidden parts included, clipped to the picture)."""
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
    """A place that lies wholly inside the area, smaller than asked where it would not fit."""
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
    """A small thing that lies over a corner of an object."""
    corner = place.corners(cutout.shape[1], cutout.shape[0])[int(rng.integers(4))]
    x, y = corner + (np.array([place.x, place.y]) - corner) * rng.uniform(0.1, 0.35)
    bit = _bit(rng, float(x), float(y))
    return Bit(bit.name, bit.seed, Place(bit.place.x, bit.place.y, place.side * 0.26, bit.place.degrees))


def _seen(bit: Bit) -> Patch:
    return warped(CLUTTER[bit.name](np.random.default_rng(bit.seed)), bit.place)


def _put(canvas: Pillow.Image, patch: Patch) -> None:
    """Lays a patch on the canvas, with its soft shadow."""
    height = 2 + 0.022 * max(patch.cutout.size)
    pad = round(3 * height)
    shape = Pillow.new("L", (patch.cutout.width + 2 * pad, patch.cutout.height + 2 * pad))
    shape.paste(patch.cutout.getchannel("A").point(lambda alpha: alpha * 0.5), (pad, pad))
    shadow = shape.filter(ImageFilter.GaussianBlur(height))
    shift = round(height * 1.1)
    canvas.paste((28, 24, 30), (patch.x - pad + shift, patch.y - pad + shift), shadow)
    canvas.paste(patch.cutout, (patch.x, patch.y), patch.cutout)
