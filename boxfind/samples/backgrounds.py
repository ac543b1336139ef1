"""Draw the backgrounds of the sample gallery: boards, bricks, grass, cloth, tiles, paper and more."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageColor

from boxfind.samples.svg import PHOTOGRAPHS

Random = np.random.Generator
Surface = NDArray[np.float64]
"""(H, W, 3), values 0 to 255; values beyond are clipped later."""


def wood(rng: Random, width: int, height: int) -> Surface:
    """Wooden boards with horizontal grain."""
    boards = rng.integers(3, 6)
    rows = np.arange(height) * boards / height
    grain = clouds(rng, width, height, 2, 70) + 0.6 * clouds(rng, width, height, 7, 260)
    grain += rng.uniform(-0.3, 0.3, boards)[rows.astype(int)][:, None]
    joint = np.clip(1 - np.minimum(rows % 1, 1 - rows % 1) * height / boards / 2, 0, 1)[:, None]
    shade: Surface = (1 + 0.075 * grain - 0.55 * joint)[..., None]
    return one_of(rng, "#a9744a", "#c89b6c", "#7d5a44", "#b7a48c") * shade


def cloth(rng: Random, width: int, height: int) -> Surface:
    """Woven cloth with a checked or striped pattern."""
    x, y = np.arange(width), np.arange(height)[:, None]
    pitch = rng.integers(44, 90)
    stripes = 0.38 * ((x // pitch % 2) + (y // pitch % 2) * rng.integers(0, 2))
    ground, stripe = one_of(rng, "#ece5d8", "#dfe6ea", "#e9dcc9"), one_of(rng, "#8fb0c4", "#c98f87", "#9db08a")
    weave = 0.035 * np.sin(x * np.pi / 2.5) * np.sin(y * np.pi / 2.5)
    shade: Surface = (1 + weave + 0.05 * clouds(rng, width, height, 4, 3))[..., None]
    return mixed(ground, stripe, stripes) * shade


def tiles(rng: Random, width: int, height: int) -> Surface:
    """Glazed tiles of slightly different colours, with grey joints."""
    pitch = rng.integers(80, 130)
    x, y = np.arange(width), np.arange(height)[:, None]
    shades = rng.uniform(0.9, 1.06, (height // pitch + 1, width // pitch + 1))
    glaze = shades[y // pitch, x // pitch] + 0.03 * clouds(rng, width, height, 6, 6)
    tone = one_of(rng, "#d8e2dc", "#a7c4c9", "#e4d4c0", "#8fa6b2")
    joint = (x % pitch < 4) | (y % pitch < 4)
    return np.where(joint[..., None], one_of(rng, "#b5b1a8"), tone * glaze[..., None])


def paper(rng: Random, width: int, height: int) -> Surface:
    """Ruled or squared paper."""
    pitch = rng.integers(24, 40)
    fibre = 1 + 0.03 * clouds(rng, width, height, 5, 5) + 0.015 * rng.standard_normal((height, width))
    surface = one_of(rng, "#f3efe4", "#efe6cf", "#e9edf0") * fibre[..., None]
    surface[::pitch] *= (0.80, 0.86, 0.93)
    if rng.random() < 0.5:
        surface[:, ::pitch] *= (0.80, 0.86, 0.93)
    return surface


def terrazzo(rng: Random, width: int, height: int) -> Surface:
    """Terrazzo: stone chips in cement."""
    chips = np.clip((clouds(rng, width, height, 42, 56) - 1.1) * 9, 0, 1)
    tint = clouds(rng, width, height, 30, 40)
    surface = one_of(rng, "#dcd6cc", "#cfd3d1") * (1 + 0.02 * tint)[..., None]
    for low, high, colour in ((-9, 0, "#b98a74"), (0, 0.8, "#8a9793"), (0.8, 9, "#e8dcc0")):
        surface = mixed(surface, one_of(rng, colour), chips * ((tint > low) & (tint <= high)))
    return surface


def studio(rng: Random, width: int, height: int) -> Surface:
    """A plain wall above a table, in soft light."""
    y = np.arange(height)[:, None]
    below_edge = np.clip((y - height * rng.uniform(0.5, 0.68)) / 3, 0, 1)
    wall, table = one_of(rng, "#b8c4bb", "#c9b7a7", "#9fb1c1", "#d7cdbd"), one_of(rng, "#8f7a66", "#a99a8a", "#6f7a80")
    glow = 1.08 - 0.3 * np.abs(y / height - 0.5) + 0.02 * clouds(rng, width, height, 3, 4)
    return mixed(wall, table, below_edge) * glow[..., None]


def textured(file: str, colours: tuple[str, ...], rng: Random, width: int, height: int) -> Surface:
    """Enlarge a crop of a grey texture of scikit-image and tint it so that its mean is about the colour."""
    with Pillow.open(PHOTOGRAPHS / file) as texture:
        span = rng.uniform(340, 500)
        x, y = rng.uniform(0, texture.width - span, 2)
        side = max(width, height)
        grey = np.asarray(texture.resize((side, side), Pillow.Resampling.BICUBIC, (x, y, x + span, y + span)))
    shade: Surface = 0.25 + 0.75 * grey[:height, :width, None] / grey.mean()
    return one_of(rng, *colours) * shade


BACKGROUNDS: dict[str, Callable[[Random, int, int], Surface]] = {
    "wood": wood,
    "tiles": tiles,
    "grass": partial(textured, "grass.png", ("#6d864c", "#7f8f56", "#5c7a52")),
    "cloth": cloth,
    "brick": partial(textured, "brick.png", ("#a85c48", "#b98d6f", "#8d8f96")),
    "paper": paper,
    "gravel": partial(textured, "gravel.png", ("#a89f94", "#b9a583", "#8f9aa3")),
    "studio": studio,
    "terrazzo": terrazzo,
}


def clouds(rng: Random, width: int, height: int, across: int, down: int) -> NDArray[np.float32]:
    """Smooth noise of standard deviation about 1, interpolated from a coarse grid. -> (height, width)."""
    coarse = Pillow.fromarray(rng.standard_normal((down, across), np.float32))
    return np.asarray(coarse.resize((width, height), Pillow.Resampling.BICUBIC))


def one_of(rng: Random, *colours: str) -> Surface:
    """Choose a colour. -> (3,)."""
    return np.array(ImageColor.getrgb(str(rng.choice(colours))), float)


def mixed(surface: Surface, colour: Surface, share: NDArray[np.float64]) -> Surface:
    """Blend a surface or a colour with another; `share` (H, W) of the second, 0 to 1."""
    return surface + (colour - surface) * share[..., None]
