"""Draw a data set of videos: camera moves over scenes with objects of the sample gallery, cuts and fades.

Each object is in one shot of all videos. Its query is another drawing of it, one of the sample gallery's queries.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageFilter

from boxfind.samples.backgrounds import BACKGROUNDS
from boxfind.samples.draw import OBJECTS
from boxfind.samples.perspective import scale_and_move, tilted, warp
from boxfind.samples.scenes import CLUTTER
from boxfind.samples.svg import render
from retrieval.types import Image

SEED = 22
VIDEOS = 3
SECONDS = 60
RATE = 25
"""Frames a second."""
WIDTH, HEIGHT = 1920, 1080
SCENE = 2400, 1600
"""Width and height of a scene, of which the camera shows a part."""
COARSER = 2
"""Patterns of the grounds are this many times as coarse as those of the sample gallery."""
STYLES: tuple[dict[str, str], ...] = (
    {"crf": "20", "g": "250"},
    {"b": "12M", "g": "25"},
    {"b": "4M", "g": "125", "keyint_min": "125", "sc_threshold": "0"},
)
"""How the videos are encoded: as a film, with a key frame at each cut; as by a camera, with one each second; as by a
web site, with one each five seconds wherever the cuts are."""
SHOTS = 12
"""Shots of a video; every fourth goes back to the scene of the second last one."""
FADE = 10
"""Frames of a fade to black and back, at every fifth cut."""
NOISE = 3.0
"""Standard deviation of the noise of a frame."""
NOISES = 5
"""Different noise patterns."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A part of a video without a cut, and the objects it shows."""

    video: str
    start: float
    """Seconds."""
    end: float
    objects: tuple[str, ...]


def draw_videos(folder: Path) -> list[Shot]:
    """Write the videos `1.mp4`, … into a folder; return their shots. Deterministic."""
    return [shot for number in range(VIDEOS) for shot in draw_video(folder, number)]


def draw_video(folder: Path, number: int) -> list[Shot]:
    """Write one of the videos, by its number from 0; return its shots."""
    names = [OBJECTS[i] for i in np.random.default_rng(SEED).permutation(len(OBJECTS))]
    mine = names[number * len(names) // VIDEOS : (number + 1) * len(names) // VIDEOS]
    rng = np.random.default_rng((SEED, number))
    return _write(folder / f"{number + 1}.mp4", mine, STYLES[number % len(STYLES)], rng)


def _write(path: Path, names: list[str], style: dict[str, str], rng: np.random.Generator) -> list[Shot]:
    """Write one video with these objects."""
    cuts = _cuts(rng)
    scenes = _scenes(names, rng)
    noises = [rng.normal(0, NOISE, (HEIGHT, WIDTH, 1)).repeat(3, axis=2).astype(np.int16) for _ in range(NOISES)]
    shots = []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast", **style})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number, (start, end) in enumerate(pairwise(cuts)):
            scene, objects = scenes[number]
            shots.append(Shot(path.name, start / RATE, end / RATE, objects))
            for place, image in enumerate(_film(scene, end - start, rng)):
                lit = cv2.convertScaleAbs(image, alpha=_light(number, place, end - start))
                noisy = np.asarray(cv2.add(lit, noises[place % NOISES], dtype=cv2.CV_8U), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(noisy, format="rgb24")))
        container.mux(stream.encode())
    return shots


def _cuts(rng: np.random.Generator) -> list[int]:
    """The first frame of each shot, then the number of frames."""
    lengths = rng.uniform(1, 3, SHOTS)
    return [0, *(np.cumsum(lengths) / lengths.sum() * SECONDS * RATE).round().astype(int).tolist()]


def _scenes(names: list[str], rng: np.random.Generator) -> list[tuple[Image, tuple[str, ...]]]:
    """A scene for each shot, with the names of its objects. A scene that comes again has the same objects."""
    scenes: list[tuple[Image, tuple[str, ...]]] = []
    left = list(names)
    for number in range(SHOTS):
        if number % 4 == 3:
            scenes.append(scenes[number - 2])
            continue
        fresh = tuple(left[:1] if number % 3 else left[:2])
        left = left[len(fresh) :]
        scenes.append((_draw(fresh, rng), fresh))
    assert not left
    return scenes


def _draw(objects: tuple[str, ...], rng: np.random.Generator) -> Image:
    """A scene with objects in its middle and clutter anywhere."""
    ground = BACKGROUNDS[str(rng.choice(list(BACKGROUNDS)))](rng, SCENE[0] // COARSER, SCENE[1] // COARSER)
    canvas = Pillow.fromarray(ground.clip(0, 255).astype(np.uint8)).resize(SCENE, Pillow.Resampling.BICUBIC)
    for _ in range(12):
        centre = rng.uniform((0, 0), SCENE)
        _paste(canvas, render(f"clutter/{rng.choice(CLUTTER)}"), centre, rng.uniform(120, 300), rng.uniform(-180, 180))
    for place, name in enumerate(objects):
        across = (place + 0.5 + rng.uniform(-0.1, 0.1)) / len(objects)
        centre = np.array(SCENE) * (0.3 + 0.4 * across, rng.uniform(0.4, 0.6))
        _paste(canvas, render(f"objects/{name}"), centre, rng.uniform(300, 560), rng.uniform(-20, 20))
    return np.asarray(canvas)


def _paste(
    canvas: Pillow.Image, cutout: Pillow.Image, centre: NDArray[np.float64], side: float, degrees: float
) -> None:
    patch, x, y = warp(cutout, scale_and_move(side, centre) @ tilted(degrees))
    shadow = patch.getchannel("A").point([alpha // 2 for alpha in range(256)]).filter(ImageFilter.GaussianBlur(8))
    canvas.paste((28, 24, 30), (x + 8, y + 8), shadow)
    canvas.paste(patch, (x, y), patch)


def _film(scene: Image, frames: int, rng: np.random.Generator) -> Iterator[Image]:
    """Move the camera over a scene: pan, zoom and rotate evenly, with a shaking hand."""
    pan, zoom, turn = rng.uniform(-220, 220, (2, 2)), rng.uniform(0.85, 1.25, 2), rng.uniform(-8, 8, 2)
    shake = np.cumsum(rng.normal(0, 0.6, (frames, 2)), axis=0)
    for place in range(frames):
        share = place / max(frames - 1, 1)
        centre = np.array(SCENE) / 2 + pan[0] + (pan[1] - pan[0]) * share + shake[place]
        scale, degrees = zoom[0] + (zoom[1] - zoom[0]) * share, turn[0] + (turn[1] - turn[0]) * share
        matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), float(degrees), float(scale))
        matrix[:, 2] += np.array((WIDTH, HEIGHT)) / 2 - centre
        yield np.asarray(
            cv2.warpAffine(scene, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        )


def _light(shot: int, place: int, frames: int) -> float:
    """Brightness of a frame, 0 to 1: every fifth shot begins and the one before ends with a fade."""
    light = 1.0
    if shot % 5 == 0:
        light = min(light, place / FADE)
    if shot % 5 == 4:
        light = min(light, (frames - 1 - place) / FADE)
    return light
