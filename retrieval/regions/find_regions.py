"""Find the regions of an image: whole image, R-MAC grid and detectors."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np

from retrieval.errors import pick
from retrieval.types import Box, Image, Region, Vectors

WANTED_OVERLAP = 0.4
"""Target overlap of neighbouring grid squares."""


def whole(width: int, height: int, levels: int) -> list[Region]:
    """One region: the whole image."""
    return [Region(Box(0, 0, width, height), "whole")]


def grid(width: int, height: int, levels: int) -> list[Region]:
    """The R-MAC grid (Tolias et al., ICLR 2016): squares of side 2 min(W, H) / (level + 1), level by level.

    The shorter side has `level` squares. The longer side has additional squares, so that neighbours overlap by about
    40 %. A 4:3 image has 20 regions at 3 levels.
    """
    short, long = sorted((width, height))
    extra = _extra_squares(short, long)
    regions = []
    for level in range(1, levels + 1):
        side = 2 * short / (level + 1)
        along_x = level + (extra if width >= height else 0)
        along_y = level + (extra if height > width else 0)
        regions += [
            Region(Box(round(x), round(y), round(x + side), round(y + side)), "grid")
            for y in _starts(height, side, along_y)
            for x in _starts(width, side, along_x)
        ]
    return regions


Find = Callable[[Image], list[Region]]
"""An image (H, W, 3) -> regions in its pixels, best first, with scores from 0 to 1; may be empty."""
RegionMaker = Callable[[int, int, int], list[Region]]
REGIONS: dict[str, RegionMaker] = {"whole": whole, "grid": grid}


def find_regions(
    image: Image, size: tuple[int, int], sources: Iterable[str], levels: int, detectors: Mapping[str, Find]
) -> list[Region]:
    """The regions of an image from each source, in order, without repeated boxes. Raises UnknownName.

    `detectors` are looked up first, then REGIONS. Boxes are in pixels of the original (width, height) `size`; `image`
    may be a smaller copy.
    """
    found: dict[Box, Region] = {}
    for kind in sources:
        if kind in detectors:
            regions = _scaled(detectors[kind](image), image, size)
        else:
            regions = pick(REGIONS, "region source", kind)(*size, levels)
        for region in regions:
            found.setdefault(region.box, region)
    return list(found.values())


def _scaled(regions: Iterable[Region], image: Image, size: tuple[int, int]) -> list[Region]:
    """Regions scaled to pixels of the original and clipped to it, without empty ones."""
    x, y = size[0] / image.shape[1], size[1] / image.shape[0]
    scaled = []
    for region in regions:
        edges = region.box
        box = Box(int(edges.x0 * x), int(edges.y0 * y), math.ceil(edges.x1 * x), math.ceil(edges.y1 * y)).clipped(*size)
        if box.width > 0 and box.height > 0:
            scaled.append(replace(region, box=box))
    return scaled


def drop_duplicate_regions(vectors: Vectors, similarity: float) -> list[int]:
    """Indices of the regions of one image to keep: drop each that is too similar to an earlier kept one.

    vectors (R, D) are unit descriptors, larger regions first, so that the larger of two duplicates is kept.
    """
    similar = vectors @ vectors.T
    kept: list[int] = []
    for region in range(len(vectors)):
        if not kept or similar[region, kept].max() <= similarity:
            kept.append(region)
    return kept


def _extra_squares(short: int, long: int) -> int:
    """Additional grid squares on the longer side, 1 to 6, for an overlap closest to 40 % at level 1; 0 if square."""
    if short == long:
        return 0
    steps = np.arange(1, 7)
    overlap = 1 - (long - short) / steps / short
    return int(steps[np.argmin(np.abs(overlap - WANTED_OVERLAP))])


def _starts(length: int, side: float, count: int) -> list[float]:
    return [float(s) for s in np.linspace(0, length - side, count)] if count > 1 else [(length - side) / 2]
