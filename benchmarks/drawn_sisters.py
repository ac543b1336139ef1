"""Draw a labelled data set of objects with sisters, as products of one brand are.

Each object of the sample gallery has two: one with other colours, one whose lower half is that of another object.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from boxfind.evaluation.dataset import write_table
from boxfind.samples.backgrounds import BACKGROUNDS
from boxfind.samples.draw import GALLERY_SIDES, OBJECTS, QUERY_SIDES
from boxfind.samples.scenes import draw_scene
from boxfind.samples.svg import render
from retrieval.types import Box

SEED = 11
TURN = 85
"""How far hues are turned, of 256."""
SIDES = (*GALLERY_SIDES, (0.2, 0.28), *QUERY_SIDES)
"""Side of the object in its gallery pictures, then in its queries; see GALLERY_SIDES."""


def draw_sisters(folder: Path) -> None:
    """Draw the data set into a new folder (docs/evaluation.md). Deterministic."""
    for part in ("gallery", "queries"):
        (folder / part).mkdir(parents=True)
    pictures = list(_pictures(folder))
    asked = [(name, file, *box.xywh, shown) for name, file, box, shown, query in pictures if query]
    relevant = [
        (name, file)
        for name, _, _, shown, query in pictures
        for _, file, _, also, other in pictures
        if query and not other and also == shown
    ]
    write_table(folder / "queries.csv", ("query", "image", "x", "y", "w", "h", "object"), asked)
    write_table(folder / "relevant.csv", ("query", "image"), relevant)


def _pictures(folder: Path) -> Iterator[tuple[str, str, Box, str, bool]]:
    """Draw each picture; return its name, file, the box and the name of its object, and whether it is a query."""
    cutouts = [render(f"objects/{name}") for name in OBJECTS]
    for which, name in enumerate(OBJECTS):
        cutout, other = cutouts[which], cutouts[which - 1]
        for sister, shown in enumerate((cutout, _turned(cutout), _halved(cutout, other))):
            for number, sides in enumerate(SIDES):
                rng = np.random.default_rng((SEED, which, sister, number))
                image, boxes = draw_scene(rng, str(rng.choice(list(BACKGROUNDS))), [shown], sides)
                query = number >= len(SIDES) - len(QUERY_SIDES)
                title = f"{name}-{sister}-{number}"
                place = folder / ("queries" if query else "gallery") / f"{title}.jpg"
                Pillow.fromarray(image).save(place, "JPEG", quality=int(rng.integers(70, 95)))
                yield title, place.name, boxes[0], f"{name}-{sister}", query


def _turned(cutout: Pillow.Image) -> Pillow.Image:
    """The cutout, RGBA, with all hues turned."""
    hues = np.array(cutout.convert("RGB").convert("HSV"))
    hues[..., 0] += np.uint8(TURN)
    turned = Pillow.fromarray(hues, "HSV").convert("RGB")
    turned.putalpha(cutout.getchannel("A"))
    return turned


def _halved(cutout: Pillow.Image, other: Pillow.Image) -> Pillow.Image:
    """The cutout, RGBA, with the lower half of another one, in its own shape."""
    halved = cutout.convert("RGB")
    lower = (0, cutout.height // 2, cutout.width, cutout.height)
    halved.paste(other.convert("RGB").resize(cutout.size).crop(lower), lower)
    halved.putalpha(cutout.getchannel("A"))
    return halved
