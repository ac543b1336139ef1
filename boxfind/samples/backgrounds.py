"""Draw the backgrounds of the sample gallery: boards, bricks, grass, cloth, tiles, paper and more."""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from boxfind.samples.photographed_objects import photograph

Surface = NDArray[np.float32]
"""(H, W, 3), values 0 to 255."""

Random = np.random.Generator


def wood(rng: Random, width: int, height: int) -> Surface:
    """Wooden boards with horizontal grain."""
    boards = int(rng.integers(3, 6))
    rows = np.arange(height) * boards / height
    grain = clouds(rng, width, height, 2, 70) + 0.6 * clouds(rng, width, height, 7, 260)
    grain += rng.uniform(-0.3, 0.3, boards)[rows.astype(int)][:, None]
    joint = np.clip(1 - np.minimum(rows % 1, 1 - rows % 1) * height / boards / 2, 0, 1)[:, None]
    tone = one_of(rng, ("#a9744a", "#c89b6c", "#7d5a44", "#b7a48c"))
    return _surface(tone * (1 + 0.075 * grain - 0.55 * joint)[..., None])


def brick(rng: Random, width: int, height: int) -> Surface:
    return _tinted("brick.png", rng, width, height, ("#a85c48", "#b98d6f", "#8d8f96"))


def grass(rng: Random, width: int, height: int) -> Surface:
    return _tinted("grass.png", rng, width, height, ("#6d864c", "#7f8f56", "#5c7a52"))


def gravel(rng: Random, width: int, height: int) -> Surface:
    return _tinted("gravel.png", rng, width, height, ("#a89f94", "#b9a583", "#8f9aa3"))


def cloth(rng: Random, width: int, height: int) -> Surface:
    """Woven cloth with a checked or striped pattern."""
    x, y = np.arange(width), np.arange(height)[:, None]
    weave = np.sin(x * np.pi / 2.5) * np.sin(y * np.pi / 2.5)
    pitch = int(rng.integers(44, 90))
    bands = (x // pitch % 2).astype(float) + (y // pitch % 2) * int(rng.integers(0, 2))
    ground, stripe = one_of(rng, ("#ece5d8", "#dfe6ea", "#e9dcc9")), one_of(rng, ("#8fb0c4", "#c98f87", "#9db08a"))
    share = np.broadcast_to(bands * 0.38, (height, width))[..., None]
    folds = 0.05 * clouds(rng, width, height, 4, 3)
    return _surface((ground * (1 - share) + stripe * share) * (1 + 0.035 * weave + folds)[..., None])


def tiles(rng: Random, width: int, height: int) -> Surface:
    """Glazed tiles of slightly different colours, with grey joints."""
    pitch = int(rng.integers(80, 130))
    x, y = np.arange(width), np.arange(height)[:, None]
    shades = rng.uniform(0.9, 1.06, (height // pitch + 1, width // pitch + 1))
    glaze = shades[y // pitch, x // pitch] + 0.03 * clouds(rng, width, height, 6, 6)
    joint = (x % pitch < 4) | (y % pitch < 4)
    tone = one_of(rng, ("#d8e2dc", "#a7c4c9", "#e4d4c0", "#8fa6b2"))
    return _surface(np.where(joint[..., None], one_of(rng, ("#b5b1a8",)), tone * glaze[..., None]))


def paper(rng: Random, width: int, height: int) -> Surface:
    """Ruled or squared paper."""
    pitch = int(rng.integers(24, 40))
    fibre = 1 + 0.03 * clouds(rng, width, height, 5, 5) + 0.015 * rng.standard_normal((height, width))
    surface = _surface(one_of(rng, ("#f3efe4", "#efe6cf", "#e9edf0")) * fibre[..., None])
    surface[::pitch] *= np.array([0.80, 0.86, 0.93])
    if rng.random() < 0.5:
        surface[:, ::pitch] *= np.array([0.80, 0.86, 0.93])
    return surface


def terrazzo(rng: Random, width: int, height: int) -> Surface:
    """Terrazzo: stone chips in cement."""
    chips = clouds(rng, width, height, 42, 56)
    tint = clouds(rng, width, height, 30, 40)
    surface = one_of(rng, ("#dcd6cc", "#cfd3d1")) * (1 + 0.02 * tint)[..., None]
    inside = np.clip((chips - 1.1) * 9, 0, 1)
    for low, high, colour in ((-9, 0, "#b98a74"), (0, 0.8, "#8a9793"), (0.8, 9, "#e8dcc0")):
        share = (inside * ((tint > low) & (tint <= high)))[..., None]
        surface = surface * (1 - share) + one_of(rng, (colour,)) * share
    return _surface(surface)


def studio(rng: Random, width: int, height: int) -> Surface:
    """A plain wall above a table, in soft light."""
    edge = height * rng.uniform(0.5, 0.68)
    y = np.arange(height)[:, None]
    table = np.clip((y - edge) / 3, 0, 1)[..., None]
    wall = one_of(rng, ("#b8c4bb", "#c9b7a7", "#9fb1c1", "#d7cdbd"))
    board = one_of(rng, ("#8f7a66", "#a99a8a", "#6f7a80"))
    glow = 1.08 - 0.3 * np.abs(y / height - 0.5) + 0.02 * clouds(rng, width, height, 3, 4)
    return _surface((wall * (1 - table) + board * table) * glow[..., None])


BACKGROUNDS: dict[str, Callable[[Random, int, int], Surface]] = {
    "wood": wood,
    "tiles": tiles,
    "grass": grass,
    "cloth": cloth,
    "brick": brick,
    "paper": paper,
    "gravel": gravel,
    "studio": studio,
    "terrazzo": terrazzo,
}


def clouds(rng: Random, width: int, height: int, across: int, down: int) -> NDArray[np.float32]:
    """Smooth noise of standard deviation about 1, interpolated from a coarse grid. -> (height, width)."""
    coarse = Pillow.fromarray(rng.standard_normal((down, across)).astype(np.float32))
    return np.asarray(coarse.resize((width, height), Pillow.Resampling.BICUBIC))


def one_of(rng: Random, colours: tuple[str, ...]) -> Surface:
    """Choose a colour; return it as (3,), values 0 to 255."""
    return np.array(list(bytes.fromhex(colours[int(rng.integers(len(colours)))][1:])), np.float32)


def _surface(values: NDArray[np.floating]) -> Surface:
    return values.astype(np.float32)


def _tinted(file: str, rng: Random, width: int, height: int, colours: tuple[str, ...]) -> Surface:
    """Enlarge a crop of a grey texture and tint it so that its mean is the colour."""
    texture = _texture(file)
    span = int(rng.integers(340, 500))
    x, y = rng.integers(0, 512 - span, 2)
    side = max(width, height)
    part = Pillow.fromarray(texture).resize(
        (side, side), Pillow.Resampling.BICUBIC, (float(x), float(y), float(x + span), float(y + span))
    )
    grey = np.asarray(part)[:height, :width, None] / texture.mean()
    return _surface(one_of(rng, colours) * (0.25 + 0.75 * grey))


@cache
def _texture(file: str) -> Surface:
    return photograph(file)[..., 0].astype(np.float32)
