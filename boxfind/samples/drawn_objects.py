"""Draw the flat objects of the sample gallery: invented packages, signs, cards and covers."""

import numpy as np
from PIL import Image as Pillow

from boxfind.samples.sketch import Cutout, Sketch, around


def cereal_box() -> Cutout:
    page = Sketch(350, 490)
    page.rectangle(0, 0, 350, 490, "#f28c28", 6)
    rim = around(175, 330, 640, 48)
    for first, second in zip(rim[::2], rim[1::2], strict=True):
        page.polygon([(175, 330), first, second], "#f7a541")
    page.ellipse(175, 300, 128, 128, "#ffd75e")
    page.rectangle(0, 40, 350, 150, "#b3261e")
    page.text(175, 76, "SUNNY", 58, "#fff6dc", 1.6)
    page.text(175, 126, "OAT RINGS", 34, "#ffd75e", 0.8)
    rng = np.random.default_rng(5)
    for x, y in rng.uniform((75, 262), (275, 318), (70, 2)):
        colour = str(rng.choice(["#c9772b", "#e0a050", "#d9534f", "#8a4b16"]))
        page.ellipse(x, y, 15, 11, colour, 6)
    page.polygon([(48, 310), (302, 310), (262, 405), (88, 405)], "#2c6e8f")
    page.ellipse(175, 405, 87, 16, "#2c6e8f")
    page.polygon([(54, 326), (296, 326), (288, 346), (62, 346)], "#f5efe0")
    page.rectangle(0, 440, 350, 490, "#7a1712", 0)
    page.text(175, 465, "whole grain  ·  375 g", 22, "#ffe9b8")
    return page.cutout()


def road_sign() -> Cutout:
    page = Sketch(440, 440)
    page.polygon(around(220, 220, 220, 8, 1 / 16), "#7d0f16")
    page.polygon(around(220, 220, 216, 8, 1 / 16), "#f7f4ee")
    page.polygon(around(220, 220, 198, 8, 1 / 16), "#c8202b")
    page.text(220, 128, "PLEASE", 38, "#f7f4ee", 0.8)
    page.text(220, 320, "SLOWLY", 60, "#f7f4ee", 1.8)
    page.ellipse(245, 205, 62, 56, "#f7f4ee")
    for radius in (46, 28, 11):
        page.ellipse(245, 205, radius, radius * 0.9, "#c8202b", 7)
    page.polygon([(110, 262), (330, 262), (300, 240), (150, 240)], "#f7f4ee")
    page.ellipse(130, 225, 24, 38, "#f7f4ee")
    page.line([(122, 195), (106, 164)], "#f7f4ee", 7)
    page.line([(138, 195), (144, 162)], "#f7f4ee", 7)
    return page.cutout()


def playing_card() -> Cutout:
    page = Sketch(320, 450)
    page.rectangle(0, 0, 320, 450, "#fdfaf0", 20, "#c9c2ad")
    page.rectangle(62, 48, 258, 402, "#243b7a", 8, "#c79a2e")
    half = Sketch(320, 225)
    half.text(32, 40, "Q", 46, "#243b7a", 1.4)
    _moon(half, 32, 92, 19, "#c79a2e", "#fdfaf0")
    half.ellipse(160, 225, 86, 96, "#b8324a")
    half.ellipse(160, 225, 66, 74, "#e8b54a")
    half.ellipse(160, 225, 44, 50, "#243b7a")
    _moon(half, 160, 98, 34, "#f3dc9a", "#243b7a")
    for x, y in around(160, 215, 78, 12):
        half.ellipse(x, y, 5, 5, "#fdfaf0")
    for x in (92, 228):
        half.polygon(around(x, 82, 15, 4), "#b8324a")
        half.polygon(around(x, 130, 9, 4), "#f3dc9a")
    piece = half.cutout()
    page.stick(piece, 0, 0, 320, 225)
    page.stick(piece[::-1, ::-1], 0, 225, 320, 225)
    return page.cutout()


def _moon(page: Sketch, x: float, y: float, radius: float, fill: str, behind: str) -> None:
    page.ellipse(x, y, radius, radius, fill)
    page.ellipse(x + radius * 0.45, y - radius * 0.12, radius * 0.8, radius * 0.8, behind)


def novel() -> Cutout:
    page = Sketch(330, 490)
    page.rectangle(0, 0, 330, 490, "#ffffff", 3)
    page.gradient("#142850", "#e58a6b")
    page.polygon([(172, 208), (330, 120), (330, 255)], "#f6d58b")
    page.polygon([(158, 208), (0, 150), (0, 235)], "#8f88a8")
    page.polygon([(0, 420), (90, 372), (250, 366), (330, 410), (330, 490), (0, 490)], "#1b2233")
    for top, bottom, fill in ((228, 275, "#f4efe6"), (275, 322, "#c23b3b"), (322, 374, "#f4efe6")):
        spread = [18 + (y - 228) * 0.12 for y in (top, bottom)]
        sides = [(165 - spread[0], top), (165 + spread[0], top), (165 + spread[1], bottom), (165 - spread[1], bottom)]
        page.polygon(sides, fill)
    page.rectangle(146, 194, 184, 228, "#ffe28a", 2, "#1b2233")
    page.polygon([(140, 196), (165, 168), (190, 196)], "#c23b3b")
    for x, y in np.random.default_rng(3).uniform((10, 8), (320, 150), (40, 2)):
        page.ellipse(x, y, 1.4, 1.4, "#f4efe6")
    page.text(165, 48, "THE LAST", 36, "#f4efe6", 0.6)
    page.text(165, 96, "LIGHTKEEPER", 42, "#ffe28a", 0.9)
    page.text(165, 450, "Mira Aldern", 28, "#f4efe6", 0.3)
    page.rectangle(0, 0, 12, 490, "#0d1830")
    return page.cutout()


def postage_stamp() -> Cutout:
    page = Sketch(400, 320)
    page.rectangle(0, 0, 400, 320, "#9ed3cf")
    page.ellipse(300, 92, 34, 34, "#f2c14e")
    page.ellipse(172, 176, 92, 44, "#2b3a5c")
    page.polygon([(232, 176), (302, 128), (296, 158), (322, 178), (262, 198)], "#2b3a5c")
    page.ellipse(112, 168, 5, 5, "#f8f3e6")
    for lean in (-26, 0, 26):
        page.line([(160, 134), (160 + lean * 0.4, 106), (160 + lean, 92)], "#f8f3e6", 5)
    for y, fill, first in ((204, "#4fa3a5", 10), (232, "#2f7f8a", 32), (260, "#1d5b6b", 18)):
        for x in range(first, 420, 45):
            page.ellipse(x, y + 10, 27, 18, fill)
        page.rectangle(0, y + 8, 400, 320, fill)
    page.text(46, 58, "PELAGIA", 34, "#1d3f58", 0.8, "lm")
    page.text(352, 266, "45", 40, "#f8f3e6", 1, "rm")
    for x0, y0, x1, y1 in ((0, 0, 400, 32), (0, 288, 400, 320), (0, 0, 32, 320), (368, 0, 400, 320)):
        page.rectangle(x0, y0, x1, y1, "#f8f3e6")
    for step in range(17):
        for x, y in ((25 * step, 0), (25 * step, 320), (0, 20 * step), (400, 20 * step)):
            page.ellipse(x, y, 7, 7, "#00000000")
    return page.cutout()


def board_game() -> Cutout:
    page = Sketch(460, 460)
    page.rectangle(0, 0, 460, 460, "#33271f", 8)
    colours = ["#7fb069", "#e6aa68", "#ca3c25", "#4d8fac", "#d9c79e", "#5d6b3a"]
    rng = np.random.default_rng(11)
    for row in range(6):
        for column in range(7):
            x, y = column * 84 + 42 * (row % 2) - 20, 105 + row * 73
            page.polygon(around(x, y, 46, 6, 1 / 12), str(rng.choice(colours)))
            mark = around(x, y, 16, int(rng.integers(3, 6)), 0.75)
            page.polygon(mark, str(rng.choice(["#f3ead7", "#33271f"])))
    page.rectangle(0, 0, 460, 100, "#26495c", 8)
    page.rectangle(0, 92, 460, 104, "#e6aa68")
    page.text(230, 50, "HARBOUR & HILLS", 48, "#f3ead7", 1.2)
    page.rectangle(0, 404, 460, 460, "#26495c", 8)
    page.text(24, 433, "2 to 5 players", 24, "#f3ead7", 0.3, "lm")
    page.text(436, 433, "45 min", 24, "#e6aa68", 0.3, "rm")
    return page.cutout()


def badge() -> Cutout:
    page = Sketch(400, 400)
    page.ellipse(200, 200, 199, 199, "#3b2a5a")
    page.ellipse(200, 200, 190, 190, "#f0c05a", 6)
    page.ellipse(200, 200, 136, 136, "#f4a6a0")
    scene = Sketch(400, 400)
    scene.ellipse(200, 150, 46, 46, "#fdf0d5")
    scene.polygon([(40, 300), (140, 140), (190, 220), (240, 165), (360, 300)], "#6a4c93")
    scene.polygon([(140, 140), (112, 186), (134, 178), (150, 194), (164, 180)], "#fdf0d5")
    scene.polygon([(240, 165), (216, 192), (236, 200), (262, 190)], "#fdf0d5")
    scene.rectangle(40, 262, 360, 360, "#2a9d8f")
    for y in (284, 306, 324):
        scene.line([(90, y), (310, y)], "#8fd3c7", 3)
    scene.polygon([(122, 268), (278, 268), (254, 296), (146, 296)], "#c8553d")
    disc = Sketch(400, 400)
    disc.ellipse(200, 200, 130, 130, "#ffffff")
    cut = scene.cutout().copy()
    cut[..., 3] = np.minimum(cut[..., 3], disc.cutout()[..., 3])
    page.stick(cut, 0, 0, 400, 400)
    rim = around(200, 200, 162, 26, 0.5)
    for turn, letter in enumerate("RIVER  RANGERS"):
        page.stick(_turned(letter, turn * 360 / 26 - 90), rim[turn][0] - 25, rim[turn][1] - 25, 50, 50)
    for middle in rim[16:24]:
        page.polygon(around(*middle, 9, 4), "#f0c05a")
    return page.cutout()


def _turned(letter: str, degrees: float) -> Cutout:
    page = Sketch(50, 50)
    page.text(25, 25, letter, 34, "#fdf0d5", 1)
    return np.asarray(Pillow.fromarray(page.cutout()).rotate(-degrees, Pillow.Resampling.BICUBIC))


def cassette() -> Cutout:
    page = Sketch(470, 300)
    page.rectangle(0, 0, 470, 300, "#3a3f47", 16, "#22252a")
    page.rectangle(26, 22, 444, 222, "#f3e9d2", 10)
    for y, fill in ((62, "#e4572e"), (82, "#f3a712"), (102, "#a8c686"), (122, "#3d8b8b")):
        page.rectangle(26, y, 444, y + 20, fill)
    page.rectangle(26, 142, 444, 222, "#f3e9d2", 10)
    page.text(50, 43, "Side A", 22, "#3a3f47", 0.3, "lm")
    page.text(420, 43, "mixtape no. 7", 24, "#c2402a", 0.4, "rm")
    page.rectangle(96, 92, 374, 176, "#22252a", 40)
    page.rectangle(186, 104, 284, 164, "#8c6a4f", 6)
    for x in (140, 330):
        page.ellipse(x, 134, 33, 33, "#fdfaf3")
        for px, py in around(x, 134, 26, 6):
            page.ellipse(px, py, 6, 6, "#22252a")
        page.ellipse(x, 134, 17, 17, "#22252a")
    page.text(235, 200, "summer by the lake", 22, "#3a3f47")
    page.polygon([(90, 300), (108, 240), (362, 240), (380, 300)], "#2b2f35")
    for x in (140, 190, 280, 330):
        page.ellipse(x, 276, 9, 9, "#15171a")
    return page.cutout()
