"""Colours are recognised by name in sentences, and in images in light and shade."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import UnknownName
from retrieval.text.colour_names import SHADES, WORDS, colour_share, colours_in

THINGS = {
    "black": (18, 17, 20),
    "grey": (128, 128, 128),
    "white": (250, 250, 250),
    "red": (215, 30, 35),
    "orange": (250, 130, 15),
    "yellow": (250, 215, 20),
    "green": (35, 150, 50),
    "blue": (25, 75, 200),
    "purple": (125, 45, 160),
    "pink": (250, 130, 180),
    "brown": (120, 72, 35),
}


def patch(rgb: tuple[float, float, float], height: int = 12, width: int = 12, noise: float = 0) -> np.ndarray:
    drawn = np.random.default_rng(0).normal(rgb, noise, (height, width, 3))
    picture = np.clip(np.rint(drawn), 0, 255).astype(np.uint8)
    picture.setflags(write=False)
    return picture


@pytest.mark.parametrize("colour", THINGS)
def test_patch_has_its_colour_and_no_other(colour):
    shares = {name: colour_share(patch(THINGS[colour]), name) for name in SHADES}
    assert shares.pop(colour) == 1 and set(shares.values()) == {0}


@pytest.mark.parametrize("light", [0.55, 0.7, 0.85, 1.0])
@pytest.mark.parametrize("colour", ["red", "green", "blue", "purple"])
def test_darkened_patch_keeps_its_colour(colour, light):
    assert colour_share(patch(tuple(light * value for value in THINGS[colour]), noise=4), colour) > 0.9


@pytest.mark.parametrize("towards_white", [0.1, 0.2, 0.3])
@pytest.mark.parametrize("colour", ["yellow", "green", "blue", "purple", "pink"])
def test_faded_patch_keeps_its_colour(colour, towards_white):
    hazy = tuple((1 - towards_white) * value + towards_white * 255 for value in THINGS[colour])
    assert colour_share(patch(hazy, noise=3), colour) > 0.8


def test_dark_orange_is_brown_and_pale_red_is_pink():
    assert colour_share(patch(tuple(0.45 * value for value in THINGS["orange"])), "brown") == 1
    assert colour_share(patch((255, 182, 190)), "pink") == 1


@pytest.mark.parametrize("lamp", [(1.0, 0.94, 0.84), (0.9, 0.96, 1.0)], ids=["warm", "cold"])
def test_white_and_black_keep_their_colour_in_tinted_light(lamp):
    for colour in ("white", "black"):
        tinted = tuple(value * factor for value, factor in zip(THINGS[colour], lamp, strict=True))
        assert colour_share(patch(tinted), colour) == 1


def test_share_equals_the_area():
    picture = np.concatenate([patch(THINGS["red"], 10, 30), patch(THINGS["white"], 30, 30)])
    assert colour_share(picture, "red") == 0.25 and colour_share(picture, "white") == 0.75


@given(st.integers(0, 10**6), st.integers(0, 9), st.integers(0, 9))
def test_shares_of_all_colours_sum_to_one(seed, height, width):
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    shares = {colour: colour_share(picture, colour) for colour in SHADES}
    assert sum(shares.values()) == pytest.approx(1 if picture.size else 0)
    turned = rng.permutation(picture.reshape(-1, 3)).reshape(width, height, 3)
    assert {colour: colour_share(turned, colour) for colour in SHADES} == shares


def test_unknown_colour_lists_the_choices():
    with pytest.raises(UnknownName, match=r"no colour called 'mauve'.*black.*yellow"):
        colour_share(patch((0, 0, 0)), "mauve")


@pytest.mark.parametrize(
    ("sentence", "colours"),
    [
        ("this, but red", ("red",)),
        ("RED, then red again.", ("red",)),
        ("a gray cup with a navy handle", ("grey", "blue")),
        ("a black-and-white cow", ("black", "white")),
        ("blue and green, green and blue", ("blue", "green")),
        ("a golden violet", ("yellow", "purple")),
        ("a greenish bottle", ("green",)),
        ("bored at a greenhouse with a blackbird", ()),  # parts of words are not colours
        ("", ()),
    ],
)
def test_colours_in_a_sentence(sentence, colours):
    assert colours_in(sentence) == colours


def test_every_colour_word_means_a_measurable_colour():
    assert set(WORDS.values()) == set(SHADES) == set(THINGS)
    assert all(colours_in(word) == (colour,) for word, colour in WORDS.items())
