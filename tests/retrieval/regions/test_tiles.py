"""Tiles of large images cover them and overlap."""

import numpy as np
import pytest

from retrieval.regions.tiles import OVERLAP, image_tiles


@pytest.mark.parametrize("across", [2, 3])
@pytest.mark.parametrize("size", [(2000, 1500), (1501, 2003), (20_000, 8)])
def test_tiles_cover_the_image_and_what_is_small_is_whole_in_one(size, across):
    width, height = size
    tiles = image_tiles(width, height, 2000, across)
    assert len(tiles) == across**2 and all(tile.clipped(width, height) == tile for tile in tiles)
    w, h = (round(OVERLAP * side / across) for side in size)
    assert {(tile.width, tile.height) for tile in tiles} == {(w, h)}
    shared = [max(side - (whole - side) // (across - 1) - 2, 0) for whole, side in zip(size, (w, h), strict=True)]
    for x, y in np.random.default_rng(0).integers(0, np.subtract(size, shared) + 1, size=(50, 2)):
        box = (x, y, x + shared[0], y + shared[1])
        assert any(t.x0 <= x and t.y0 <= y and box[2] <= t.x1 and box[3] <= t.y1 for t in tiles)


def test_only_large_images_have_tiles():
    assert image_tiles(1999, 1500, 2000, 2) == image_tiles(9000, 9000, 2000, 1) == []
    assert len(image_tiles(1500, 2000, 2000, 2)) == 4
