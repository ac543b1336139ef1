import io

import numpy as np
import pytest
from PIL import Image as Pillow

from boxfind.ui.widgets.thumbnail import joined
from retrieval.images.decode import LoadedImage
from retrieval.ranking.verification import Details


def test_lines_join_the_same_details_of_crop_and_picture() -> None:
    """The picture is a copy of half the size; its details are in pixels of the original."""
    grey = np.full((300, 400, 3), 128, np.uint8)
    details = Details(np.array([[50, 100]], np.float32), np.array([[400, 300]], np.float32))
    jpeg, size = joined(grey[:200, :200], LoadedImage(grey, 800, 600), details, 400)
    with Pillow.open(io.BytesIO(jpeg)) as drawn:
        assert drawn.size == size == (400 + 8 + 400, 400)
        pixels = np.asarray(drawn.convert("RGB")).astype(int)
    ys, xs = np.nonzero(pixels[..., 0] - pixels[..., 2] > 60)  # yellow
    edges = (xs.min(), ys.min(), xs.max(), ys.max())
    assert edges == pytest.approx((97, 147, 611, 203), abs=3)  # circles of radius 3 round both ends
