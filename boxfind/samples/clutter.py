"""Draw small distractors that clutter the pictures of the sample gallery."""

from collections.abc import Callable

import numpy as np

from boxfind.samples.sketch import Cutout, Sketch, around

Random = np.random.Generator


def pebble(rng: Random) -> Cutout:
    page = Sketch(120, 90)
    rim = around(60, 45, 1, 24)
    swing = 1 + 0.08 * np.sin(np.arange(24) * 2 * np.pi / 24 * 2 + rng.uniform(0, 6))
    page.polygon(
        [(60 + (x - 60) * 57 * s, 45 + (y - 45) * 42 * s) for (x, y), s in zip(rim, swing, strict=True)], "#ffffff"
    )
    page.gradient(*_pair(rng, (("#b8b2a8", "#817a72"), ("#9fa8ad", "#69737a"), ("#c9b79c", "#92806a"))))
    return page.cutout()


def leaf(rng: Random) -> Cutout:
    page = Sketch(170, 90)
    t = np.linspace(0, np.pi, 24)
    x = 10 + 130 * (1 - np.cos(t)) / 2
    upper = list(zip(x, 45 - 34 * np.sin(t) ** 1.3, strict=True))
    lower = list(zip(x, 45 + 34 * np.sin(t) ** 1.3, strict=True))
    light, dark = _pair(rng, (("#8a9a4b", "#5d6e33"), ("#c98a3a", "#8f5a24"), ("#7f9f7a", "#4f7355")))
    page.polygon([(float(a), float(b)) for a, b in upper + lower[::-1]], light)
    page.line([(10, 45), (166, 45)], dark, 3)
    for at in (40, 68, 96):
        page.line([(at + 18, 25), (at, 45), (at + 18, 65)], dark, 2)
    return page.cutout()


def pencil(rng: Random) -> Cutout:
    page = Sketch(260, 24)
    light, dark = _pair(rng, (("#7d8fa3", "#5f7186"), ("#b59a5a", "#957c41"), ("#8a9d8f", "#6b7f71")))
    page.rectangle(0, 2, 24, 22, "#c9a9a0", 4)
    page.rectangle(20, 2, 34, 22, "#b9bcbf")
    page.rectangle(34, 2, 220, 22, light)
    page.rectangle(34, 14, 220, 22, dark)
    page.polygon([(220, 2), (256, 12), (220, 22)], "#e2c9a4")
    page.polygon([(245, 9), (257, 12), (245, 15)], "#3b3b3f")
    return page.cutout()


def button(rng: Random) -> Cutout:
    page = Sketch(90, 90)
    light, dark = _pair(rng, (("#a7907a", "#7c6754"), ("#7f929c", "#5b6d77"), ("#d8cfbf", "#a89d8a")))
    page.ellipse(45, 45, 44, 44, dark)
    page.ellipse(45, 43, 42, 41, light)
    page.ellipse(45, 44, 29, 29, dark, 2)
    for x, y in around(45, 44, 11, 4, 1 / 8):
        page.ellipse(x, y, 5, 5, "#3f372f")
    return page.cutout()


def block(rng: Random) -> Cutout:
    page = Sketch(120, 120)
    light, dark = _pair(rng, (("#d9bd92", "#b5946a"), ("#b9c2b4", "#8e9a8a"), ("#c7b0a6", "#9f867b")))
    page.polygon([(8, 38), (60, 8), (112, 38), (60, 68)], light)
    page.polygon([(8, 38), (60, 68), (60, 116), (8, 86)], dark)
    page.polygon([(112, 38), (60, 68), (60, 116), (112, 86)], "#7f6c55")
    return page.cutout()


def note(rng: Random) -> Cutout:
    page = Sketch(130, 130)
    light, dark = _pair(rng, (("#f1e3a0", "#b6a763"), ("#d5e3d8", "#93a899"), ("#f0d6cb", "#b5958a")))
    page.rectangle(2, 2, 128, 128, light)
    for y in (32, 54, 76, 98):
        page.line([(16, y), (float(rng.integers(70, 114)), y)], dark, 4)
    return page.cutout()


def clip(rng: Random) -> Cutout:
    page = Sketch(60, 140)
    colour = _pair(rng, (("#8d959b", ""), ("#b08d57", ""), ("#6d7f8c", "")))[0]
    for x0, y0, x1, y1 in ((6, 6, 54, 134), (15, 34, 45, 125), (15, 6, 54, 112)):
        page.pen.rounded_rectangle([3 * side for side in (x0, y0, x1, y1)], 45, None, colour, 14)
    return page.cutout()


def twig(rng: Random) -> Cutout:
    page = Sketch(220, 80)
    light, dark = _pair(rng, (("#8a6f55", "#6a533e"), ("#7a7263", "#5d5648")))
    page.line([(4, 50), (80, 42), (150, 48), (216, 34)], dark, 8)
    page.line([(4, 48), (80, 40), (150, 46), (216, 32)], light, 4)
    page.line([(80, 42), (120, 12)], dark, 5)
    page.line([(150, 46), (190, 70)], dark, 5)
    return page.cutout()


CLUTTER: dict[str, Callable[[Random], Cutout]] = {
    "pebble": pebble,
    "leaf": leaf,
    "pencil": pencil,
    "button": button,
    "block": block,
    "note": note,
    "clip": clip,
    "twig": twig,
}


def _pair(rng: Random, pairs: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    return pairs[int(rng.integers(len(pairs)))]
