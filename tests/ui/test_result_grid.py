import io

import numpy as np
from PIL import Image as Pillow

from retrieval.images import thumbnail
from retrieval.types import Box
from ui.result_grid import OUTLINE, TILE, outlined


def tile_of(width: int, height: int, box: Box) -> np.ndarray:
    grey = np.full((height, width, 3), 90, dtype=np.uint8)
    return np.asarray(Pillow.open(io.BytesIO(outlined(thumbnail(grey), box, width, height)))).astype(int)


def outline_of(tile: np.ndarray) -> tuple[int, int, int, int]:
    colour = np.array([int(OUTLINE[i : i + 2], 16) for i in (1, 3, 5)])
    ys, xs = np.nonzero(np.abs(tile - colour).max(axis=2) < 60)
    return xs.min(), ys.min(), xs.max() + 1, ys.max() + 1


def test_the_outline_stands_where_the_box_is() -> None:
    found = outline_of(tile_of(1280, 960, Box(320, 240, 960, 720)))
    assert np.abs(np.array(found) - (80, 60, 240, 180)).max() <= 3


def test_a_portrait_picture_stands_in_the_middle_of_a_tile_of_the_usual_size() -> None:
    tile = tile_of(300, 600, Box(0, 0, 300, 600))
    assert tile.shape == (TILE[1], TILE[0], 3)
    x0, y0, x1, y1 = outline_of(tile)
    assert abs((x0 + x1) / 2 - TILE[0] / 2) <= 2 and y1 - y0 >= TILE[1] - 6 and x1 - x0 <= 125
