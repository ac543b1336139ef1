"""Cutouts are placed where their homography says."""

import numpy as np
from PIL import Image as Pillow

from boxfind.samples.perspective import corners, scale_and_move, tilted, warp


def test_an_untilted_cutout_is_scaled_and_moved():
    place = scale_and_move(40, np.array([100.0, 50.0])) @ tilted(0)
    assert np.allclose(corners(place, (20, 10)), [(80, 40), (120, 40), (120, 60), (80, 60)])


def test_the_nearer_side_of_a_tilted_cutout_is_longer():
    top_left, top_right, bottom_right, bottom_left = corners(tilted(0, about_x=30), (1, 1))
    top, bottom = np.linalg.norm(top_left - top_right), np.linalg.norm(bottom_left - bottom_right)
    assert top > 1 > bottom


def test_a_warped_cutout_lies_between_its_corners():
    place = scale_and_move(60, np.array([70.0, 80.0])) @ tilted(30, 20, -25)
    cutout = Pillow.new("RGBA", (90, 30), "#ff0000")
    patch, x, y = warp(cutout, place)
    left, top, right, bottom = patch.getchannel("A").point(lambda value: 255 * (value >= 128)).getbbox()
    rim = corners(place, cutout.size)
    assert np.abs(np.array([x + left, y + top]) - rim.min(0)).max() < 1.5
    assert np.abs(np.array([x + right, y + bottom]) - rim.max(0)).max() < 1.5
