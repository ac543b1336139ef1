"""Crops that are changed by chance: reproducible, inside the picture, and still recognisable."""

import numpy as np
import pytest

from boxfind.evaluation import augmented_crops
from boxfind.evaluation.augmented_crops import LEAST_SIDE, SIDES, augment, cut_out, draw_box, relight, turned_box
from retrieval.types import Box
from tests.tiny import draw_picture

PICTURE = draw_picture(3, 640, 480)


def test_equal_generators_give_equal_crops_and_others_do_not():
    box = Box(100, 50, 400, 350)
    first, same, other = (augment(PICTURE, box, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, same)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_a_crop_has_the_shape_of_its_box_and_no_more_pixels():
    for seed in range(20):
        large = augment(PICTURE, Box(40, 40, 440, 240), np.random.default_rng(seed))
        assert SIDES[0] <= large.shape[1] <= SIDES[1] and abs(large.shape[1] - 2 * large.shape[0]) <= 1
        assert large.dtype == np.uint8
    assert augment(PICTURE, Box(10, 10, 70, 60), np.random.default_rng(0)).shape == (50, 60, 3)


def test_a_crop_stays_like_its_box():
    """Blurred to 4 x 4 cells, a crop correlates with its own box more than with any other picture's."""
    box = Box(100, 50, 420, 350)

    def cells(image):
        h, w = image.shape[0] // 4 * 4, image.shape[1] // 4 * 4
        return image[:h, :w].reshape(4, h // 4, 4, w // 4, 3).mean(axis=(1, 3)).ravel()

    crop = cells(augment(PICTURE, box, np.random.default_rng(5)))
    likeness = [np.corrcoef(crop, cells(draw_picture(n, 640, 480)[50:350, 100:420]))[0, 1] for n in range(8)]
    assert np.argmax(likeness) == 3 and likeness[3] > 0.8


def test_a_turned_box_stays_in_the_picture():
    turned = [turned_box(Box(0, 0, 640, 480), (640, 480), np.random.default_rng(seed)) for seed in range(20)]
    assert all((place >= 0).all() and (place <= (640, 480)).all() for place in turned)
    inner = turned_box(Box(200, 150, 400, 300), (640, 480), np.random.default_rng(0))
    assert inner.shape == (4, 2) and abs(inner.mean(axis=0) - (300, 225)).max() < 25
    assert np.ptp(inner[[0, 1], 1]) > 1  # the upper edge is not level any more


def test_cutting_out_a_straight_box_gives_its_pixels():
    place = np.array([(100, 50), (400, 50), (400, 250), (100, 250)], float)
    assert np.array_equal(cut_out(PICTURE, place, (300, 200)), PICTURE[50:250, 100:400])


def test_without_a_change_of_light_the_picture_is_the_same(monkeypatch):
    monkeypatch.setattr(augmented_crops, "BRIGHTNESS", (1.0, 1.0))
    monkeypatch.setattr(augmented_crops, "CONTRAST", (1.0, 1.0))
    assert np.array_equal(relight(PICTURE, np.random.default_rng(0)), PICTURE)
    monkeypatch.setattr(augmented_crops, "BRIGHTNESS", (0.5, 0.5))
    assert relight(PICTURE, np.random.default_rng(0)).mean() < 0.8 * PICTURE.mean()


@pytest.mark.parametrize("size", [(640, 480), (60, 40), (2, 2)])
def test_boxes_are_parts_of_the_picture_or_all_of_it(size):
    picture = draw_picture(1, *size) if min(size) > 4 else np.zeros((2, 2, 3), np.uint8)
    boxes = [draw_box(picture, np.random.default_rng(seed)) for seed in range(30)]
    whole = Box.whole(picture)
    assert whole in boxes and all(box.clipped(*size) == box for box in boxes)
    assert all(box == whole or min(box.width, box.height) >= LEAST_SIDE for box in boxes)
    if size[0] == 640:
        assert len(set(boxes)) > 3
