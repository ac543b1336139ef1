"""Places named by corrections are found in a gallery."""

import numpy as np
import pytest

from index.gallery import Gallery, open_gallery
from index.groups.corrections import _overlaps, similar_first
from retrieval.types import Box, iou
from tests.conftest import BuildIndex
from tests.tiny import eight_pictures


@pytest.fixture
def opened(tmp_path, build_index: BuildIndex) -> Gallery:
    return open_gallery(build_index(eight_pictures(tmp_path / "pictures")))


def test_the_most_similar_object_comes_first(opened: Gallery) -> None:
    whole = [(image, opened.regions(image)[0].box) for image in opened.tables.ids]
    for place, own in enumerate(whole):
        order = similar_first(opened, own, whole)
        assert order[0] == place and sorted(order) == list(range(len(whole)))


def test_overlaps_are_those_of_single_boxes() -> None:
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 50, (40, 2))
    boxes = np.hstack([corners, corners + rng.integers(1, 30, (40, 2))]).astype(np.int32)
    box = Box(10, 20, 40, 45)
    assert _overlaps(boxes, box).tolist() == pytest.approx([iou(Box(*map(int, other)), box) for other in boxes])
