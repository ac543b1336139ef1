import io
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import streamlit as st
from PIL import Image as Pillow

from retrieval.images import thumbnail
from retrieval.types import Box
from ui.tile import OUTLINE, SIZE, tile


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    st.cache_data.clear()


def tile_of(width: int, height: int, box: Box | None) -> np.ndarray:
    grey = np.full((height, width, 3), 90, dtype=np.uint8)
    gallery: Any = SimpleNamespace(
        entry=lambda _: SimpleNamespace(width=width, height=height), thumbnail=lambda _: thumbnail(grey)
    )
    return np.asarray(Pillow.open(io.BytesIO(tile("gen", "image", box, gallery)))).astype(int)


def outlined_pixels(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    colour = np.array([int(OUTLINE[i : i + 2], 16) for i in (1, 3, 5)])
    return np.nonzero(np.abs(picture - colour).max(axis=2) < 60)


def test_the_outline_stands_where_the_box_is() -> None:
    ys, xs = outlined_pixels(tile_of(1280, 960, Box(320, 240, 960, 720)))
    found = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
    assert np.abs(found - (80, 60, 240, 180)).max() <= 3


def test_without_a_box_nothing_is_outlined() -> None:
    assert len(outlined_pixels(tile_of(1280, 960, None))[0]) == 0


def test_a_portrait_picture_stands_in_the_middle_of_a_tile_of_the_usual_size() -> None:
    picture = tile_of(300, 600, Box(0, 0, 300, 600))
    assert picture.shape == (SIZE[1], SIZE[0], 3)
    ys, xs = outlined_pixels(picture)
    assert abs((xs.min() + xs.max()) / 2 - SIZE[0] / 2) <= 2
    assert ys.max() - ys.min() >= SIZE[1] - 8 and xs.max() - xs.min() <= 125
