"""Make sample objects from the photographs in the scikit-image package."""

from pathlib import Path

import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image as Pillow

from boxfind.samples.sketch import Cutout, Sketch

PHOTOGRAPHS = Path(skimage.__file__).parent / "data"


def photograph(file: str, x0: int = 0, y0: int = 0, x1: int | None = None, y1: int | None = None) -> Cutout:
    """Crop one of the photographs in the scikit-image package. -> (H, W, 4)."""
    with Pillow.open(PHOTOGRAPHS / file) as picture:
        return np.asarray(picture.convert("RGBA"))[y0:y1, x0:x1]


def horse_outline() -> NDArray[np.uint8]:
    """Return the mask of the horse: (H, W), 255 inside."""
    picture = photograph("horse.png")
    dark = Pillow.fromarray(np.where(picture[..., 0] < 128, 255, 0).astype(np.uint8))
    return np.asarray(dark.crop(dark.getbbox()))


def coffee_cup() -> Cutout:
    """Cup and saucer, cut out along the rim of the saucer."""
    cup = photograph("coffee.png").copy()
    shape = Sketch(cup.shape[1], cup.shape[0])
    shape.ellipse(270, 238, 194, 157, "#ffffff")
    shape.ellipse(283, 130, 116, 118, "#ffffff")
    cup[..., 3] = shape.cutout()[..., 3]
    return cup[8:398, 70:470]


def cat_photo() -> Cutout:
    page = Sketch(360, 430)
    page.rectangle(0, 0, 360, 430, "#f7f5f0", 4, "#dcd8ce")
    page.stick(photograph("chelsea.png", 70, 0, 370, 300), 22, 22, 316, 316)
    page.text(180, 384, "Chelsea, sunday", 32, "#4a4a55")
    return page.cutout()


def rocket_postcard() -> Cutout:
    page = Sketch(480, 340)
    page.rectangle(0, 0, 480, 340, "#f4ecd8", 4)
    page.stick(photograph("rocket.jpg", 40, 0, 640, 427), 14, 14, 452, 312)
    page.text(40, 58, "Greetings from", 26, "#f7d9a0", 0.2, "lm")
    page.text(40, 100, "PAD 39", 52, "#f7f3e8", 1.6, "lm")
    return page.cutout()


def space_magazine() -> Cutout:
    page = Sketch(360, 470)
    page.rectangle(0, 0, 360, 470, "#f2c230")
    page.stick(photograph("astronaut.png", 40, 0, 420, 420), 12, 84, 336, 374)
    page.text(180, 44, "ORBITAL", 74, "#1c2b4a", 2)
    page.rectangle(12, 398, 348, 458, "#1c2b4a")
    page.text(28, 418, "Ready for launch", 26, "#f2c230", 0.5, "lm")
    page.text(28, 444, "a pilot tells", 18, "#ffffff", 0, "lm")
    return page.cutout()


def star_poster() -> Cutout:
    page = Sketch(350, 480)
    page.rectangle(0, 0, 350, 480, "#b58a55", 3)
    page.rectangle(5, 5, 345, 475, "#8f6a3c")
    page.rectangle(14, 14, 336, 466, "#0d0f14")
    page.stick(photograph("hubble_deep_field.jpg", 240, 280, 640, 740), 26, 26, 298, 342)
    page.text(175, 404, "DEEP FIELD", 42, "#f2efe6", 0.8)
    page.text(175, 440, "ten thousand galaxies", 20, "#a9b4c9")
    return page.cutout()


def wall_calendar() -> Cutout:
    page = Sketch(380, 480)
    page.rectangle(0, 0, 380, 480, "#fbfaf6", 4, "#d5d1c4")
    page.stick(photograph("motorcycle_left.png", 90, 30, 700, 480), 14, 28, 352, 260)
    for x in range(24, 372, 22):
        page.ellipse(x, 13, 5, 5, "#5a5f66")
    page.rectangle(14, 288, 366, 326, "#a8201a")
    page.text(190, 307, "JULY", 30, "#fbfaf6", 1)
    for day in range(31):
        x, y = 44 + (day + 2) % 7 * 49, 346 + (day + 2) // 7 * 27
        page.text(x, y, str(day + 1), 19, "#a8201a" if (day + 2) % 7 == 6 else "#3a3d42", 0.2)
    return page.cutout()
