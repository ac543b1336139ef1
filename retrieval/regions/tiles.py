"""Split a large image into overlapping tiles, whose regions are described at a finer scale."""

from itertools import product

import numpy as np

from retrieval.types import Box

TILE = "tile"
"""The `Region.kind` of the regions of a tile."""
OVERLAP = 1.25
"""Side of a tile, relative to what would suffice to cover the image."""


def image_tiles(width: int, height: int, tiled_from: int, across: int) -> list[Box]:
    """A grid of `across` by `across` boxes, row by row; empty if the longest side is below `tiled_from` pixels."""
    if max(width, height) < tiled_from or across < 2:
        return []
    w, h = (min(round(side * OVERLAP / across), side) for side in (width, height))
    rows, columns = (np.linspace(0, most, across).round().astype(int).tolist() for most in (height - h, width - w))
    return [Box(x, y, x + w, y + h) for y, x in product(rows, columns)]
