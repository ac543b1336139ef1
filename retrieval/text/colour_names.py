"""Find colour names in a sentence and measure how much of an image has a colour."""

import re
from functools import cache

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import pick
from retrieval.types import Image

SHADES: dict[str, str] = {
    "black": "000000 161616 262626 201a18 181c24",
    "grey": "454545 6a6a6a 8e8e8e b0b0b0 6c7278 908a84",
    "white": "ffffff eeeeee dadada f4efe4 e4ebf4",
    "red": "e01b24 b01218 7a0c10 4e080c f04438 c8353a a03038",
    "orange": "ff8c00 f07818 d86a10 ffa245 f39a4e",
    "yellow": "ffe000 f2c80a c8b410 fff176 8f8214 e6d36a",
    "green": "18a030 0c6420 7ccf50 063810 8fd8a0 5a8f5a 4a5c20 00e040 00a878",
    "blue": "1450d2 0a2a8c 06144a 4a90e8 9cc8f2 1aa8dc 2000ff 3a5a8a 3a50f0 303498 00d0e6 0e7486",
    "purple": "7a1fa0 4a1068 a45cc8 c8a0e0 5a3a80 9a30ff 2a0840",
    "pink": "ff69b4 ffb6c8 e83e8c d87a9c ff9eb5 f020c0",
    "brown": "7a4a21 5a3416 3c2412 97663c a9805a 6b4f3a",
}
"""sRGB prototypes of each colour in light and shade. A pixel gets the colour of its nearest prototype."""

STEPS = 32
"""Steps per channel to which pixels are rounded; enough to name a colour."""

WORDS: dict[str, str] = {
    **{colour: colour for colour in SHADES},
    **dict.fromkeys(("gray", "silver", "silvery", "greyish", "grayish"), "grey"),
    **dict.fromkeys(("crimson", "scarlet", "reddish"), "red"),
    **dict.fromkeys(("gold", "golden", "yellowish"), "yellow"),
    **dict.fromkeys(("navy", "azure", "turquoise", "bluish"), "blue"),
    **dict.fromkeys(("violet", "lilac", "lavender", "purplish"), "purple"),
    **dict.fromkeys(("magenta", "fuchsia", "pinkish"), "pink"),
    **{"whitish": "white", "greenish": "green", "brownish": "brown"},
}
"""Colour words and the basic colour that each means."""


def colours_in(sentence: str) -> tuple[str, ...]:
    """The basic colours named in a sentence, in order, without repeats: "Gray and navy blue" -> ("grey", "blue")."""
    named = (WORDS.get(word) for word in re.findall(r"[a-z]+", sentence.casefold()))
    return tuple(dict.fromkeys(colour for colour in named if colour))


def colour_share(pixels: Image, colour: str) -> float:
    """The share of an image (h, w, 3) with a colour of SHADES, 0 to 1. Raises UnknownName for other colours."""
    pick(SHADES, "colour", colour)
    if not pixels.size:
        return 0.0
    red, green, blue = np.moveaxis(pixels // (256 // STEPS), 2, 0).astype(np.intp)
    return float((_named_colours()[red, green, blue] == list(SHADES).index(colour)).mean())


@cache
def _named_colours() -> NDArray[np.int8]:
    """The basic colour, as a position in SHADES, of every step of red, green and blue: (STEPS, STEPS, STEPS)."""
    shades = [(bytes.fromhex(shade), name) for name, shades in SHADES.items() for shade in shades.split()]
    prototypes = _lab(np.array([list(rgb) for rgb, _ in shades], float))  # (P, 3)
    names = np.array([list(SHADES).index(name) for _, name in shades], np.int8)
    steps = np.indices((STEPS, STEPS, STEPS)).reshape(3, -1).T
    lab = _lab((steps.astype(np.float64) + 0.5) * (256 // STEPS) - 0.5)
    nearest = ((prototypes**2).sum(axis=1) - 2 * lab @ prototypes.T).argmin(axis=1)
    return np.asarray(names[nearest].reshape(STEPS, STEPS, STEPS))


def _lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """sRGB (P, 3), 0 to 255 -> CIELAB (P, 3), which is roughly perceptually uniform."""
    from skimage.color import rgb2lab

    return np.asarray(rgb2lab(rgb / 255), float)
