"""Draw the solid objects of the sample gallery: a tin, a can, a mug and a painted wooden horse."""

import numpy as np
from PIL import Image as Pillow

from boxfind.samples.photographed_objects import horse_outline
from boxfind.samples.sketch import Cutout, Sketch, around, rolled


def tea_tin() -> Cutout:
    page = Sketch(330, 470)
    page.rectangle(8, 60, 322, 470, "#14532d", 22)
    page.rectangle(0, 10, 330, 92, "#0d3b20", 20)
    page.rectangle(0, 80, 330, 92, "#d4a83c")
    page.rectangle(110, 0, 220, 24, "#d4a83c", 10)
    page.rectangle(34, 124, 296, 436, "#f3ead0", 120, "#d4a83c")
    page.ellipse(165, 226, 48, 48, "#d9622b")
    for x, top, fill in ((110, 210, "#7fae8b"), (222, 224, "#5f9a74"), (160, 262, "#2f7350")):
        page.polygon([(x - 92, 330), (x - 18, top + 6), (x, top), (x + 22, top + 10), (x + 90, 330)], fill)
    page.rectangle(8, 328, 322, 358, "#14532d")
    page.text(165, 343, "OOLONG", 24, "#f3ead0", 0.8)
    page.text(165, 386, "Jade Hill", 38, "#14532d", 1)
    page.text(165, 416, "fine tea", 20, "#8a6a1c", 0.2)
    for x in (105, 225):
        page.polygon([(x - 30, 48), (x, 36), (x + 30, 48), (x, 60)], "#2f7350")
    tin = page.cutout().astype(np.float32)
    across = np.linspace(-1, 1, tin.shape[1])
    light = 1.02 - 0.34 * np.abs(across) ** 5 + 0.16 * np.exp(-(((across + 0.72) / 0.1) ** 2))
    tin[..., :3] *= light[None, :, None]
    return np.clip(tin, 0, 255).astype(np.uint8)


def soda_can() -> Cutout:
    label = Sketch(375, 400, "#12a5b8")
    label.polygon([(0, 250), (375, 130), (375, 230), (0, 350)], "#f7f3e3")
    label.polygon([(0, 268), (375, 148), (375, 212), (0, 332)], "#f4d03f")
    label.polygon([(0, 332), (375, 212), (375, 400), (0, 400)], "#0b5f73")
    for x, y, radius in ((240, 320, 44), (140, 345, 30)):
        label.ellipse(x, y, radius, radius, "#f4d03f")
        label.ellipse(x, y, radius * 0.84, radius * 0.84, "#f9eeb0")
        for px, py in around(x, y, radius * 0.46, 6):
            label.ellipse(px, py, radius * 0.2, radius * 0.2, "#e8bf2c")
    for x, y in np.random.default_rng(8).uniform((20, 10), (355, 180), (26, 2)):
        label.ellipse(x, y, 5, 5, "#4fc0cc", 1.4)
    label.text(188, 92, "FIZZAROO", 50, "#f7f3e3", 2)
    label.text(188, 148, "lemon", 38, "#0b5f73", 1)
    body = rolled(label.cutout(), 18)
    height, width = body.shape[:2]
    page = Sketch(width, height + 62)
    _ring(page, width, height + 30, ("#8d959c", "#c3c9ce"))
    page.stick(body, 0, 22, width, height)
    page.polygon([(0, 28), (14, 16), (width - 14, 16), (width, 28), (width / 2, 46)], "#b4bbc1")
    page.ellipse(width / 2, 27, width / 2 - 1, 18, "#9aa3aa")
    page.ellipse(width / 2, 20, width / 2 - 14, 15, "#dfe4e8")
    page.ellipse(width / 2, 20, width / 2 - 24, 11, "#aab2b9")
    page.ellipse(width / 2, 19, 28, 6, "#eef1f3")
    return page.cutout()


def _ring(page: Sketch, width: int, y: float, fills: tuple[str, str]) -> None:
    """Draw the narrow foot of a can."""
    page.polygon([(1, y - 14), (width - 1, y - 14), (width - 18, y + 18), (18, y + 18)], fills[0])
    page.ellipse(width / 2, y + 16, width / 2 - 18, 14, fills[0])
    page.ellipse(width / 2, y + 12, width / 2 - 40, 14, fills[1])


def striped_mug() -> Cutout:
    label = Sketch(480, 300, "#f6f0e4")
    for y, fill in ((30, "#d1495b"), (84, "#edae49"), (138, "#00798c"), (192, "#30638e"), (246, "#d1495b")):
        label.rectangle(0, y, 480, y + 30, fill)
    for x in range(0, 480, 40):
        label.ellipse(x + 8, 72, 6, 6, "#30638e")
        label.ellipse(x + 28, 180, 6, 6, "#d1495b")
    body = rolled(label.cutout(), 30)
    height, width = body.shape[:2]
    page = Sketch(width + 96, height + 46)
    page.ellipse(width + 4, 190, 90, 98, "#b9ae9a", 34)
    page.ellipse(width + 2, 187, 88, 96, "#e4dac6", 26)
    page.rectangle(0, 36, width, 320, "#00000000")
    page.stick(body, 0, 36, width, height)
    page.ellipse(width / 2, 36, width / 2 - 0.5, 35, "#fbf7ee")
    page.ellipse(width / 2, 37, width / 2 - 10, 29, "#cfc4ae")
    page.ellipse(width / 2, 45, width / 2 - 22, 20, "#6f4a2f")
    page.ellipse(width / 2, 48, width / 2 - 34, 14, "#85593a")
    return page.cutout()


def painted_horse() -> Cutout:
    """A toy painted inside the horse silhouette of scikit-image."""
    outline = horse_outline()
    height, width = outline.shape
    page = Sketch(width, height, "#c8352b")
    page.rectangle(0, int(height * 0.88), width, height, "#1f3a5f")
    page.polygon(
        [(width * 0.36, 0), (width * 0.62, 0), (width * 0.6, height * 0.52), (width * 0.4, height * 0.52)], "#f2b632"
    )
    page.polygon(
        [(width * 0.4, 0), (width * 0.58, 0), (width * 0.56, height * 0.48), (width * 0.44, height * 0.48)], "#2a7f62"
    )
    page.rectangle(0, 0, width * 0.1, height, "#f4ead5")
    for x, y in ((0.5, 0.36), (0.22, 0.42), (0.7, 0.4), (0.78, 0.24)):
        for px, py in around(width * x, height * y, 13, 6):
            page.ellipse(px, py, 7, 7, "#f4ead5")
        page.ellipse(width * x, height * y, 7, 7, "#f2b632")
    page.line([(width * 0.84, 0), (width * 0.89, height * 0.3)], "#f2b632", 7)
    page.line([(width * 0.8, height * 0.02), (width * 0.68, height * 0.3)], "#1f3a5f", 12)
    page.ellipse(width * 0.905, height * 0.115, 5, 5, "#16202e")
    horse = page.cutout().copy()
    horse[..., 3] = outline
    return np.asarray(Pillow.fromarray(horse))
