import io

import numpy as np
import pytest
from PIL import Image as Pillow

from boxfind.ui.widgets.thumbnail import outlined
from retrieval.types import Box


@pytest.mark.parametrize("reduced", [1, 5])
def test_outlines_are_in_pixels_of_the_original(reduced: int) -> None:
    """Whether the picture is the original or a smaller copy of it."""
    picture = np.full((1500 // reduced, 2000 // reduced, 3), 128, np.uint8)
    picture.setflags(write=False)
    with Pillow.open(io.BytesIO(outlined(picture, [Box(400, 300, 1000, 750)], 2000, (1100, 700), ("white",)))) as drawn:
        assert drawn.size == (933, 700)
        ys, xs = np.nonzero(np.asarray(drawn.convert("L")) > 230)
    edges = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    assert edges == pytest.approx((187, 140, 467, 350), abs=1)


def test_without_boxes_nothing_is_drawn() -> None:
    with Pillow.open(io.BytesIO(outlined(np.full((300, 400, 3), 128, np.uint8), [], 400, (400, 300)))) as drawn:
        assert np.ptp(np.asarray(drawn)) == 0


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_tiny_box_is_outlined(size: int) -> None:
    picture = np.full((300, 400, 3), 128, np.uint8)
    with Pillow.open(io.BytesIO(outlined(picture, [Box(100, 100, 100 + size, 100 + size)], 400, (400, 300)))) as drawn:
        assert np.ptp(np.asarray(drawn)) > 0
