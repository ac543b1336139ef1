"""Generate the sample gallery and its labelled queries in a folder."""

import csv
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from PIL import Image as Pillow

from boxfind.samples.backgrounds import BACKGROUNDS
from boxfind.samples.scenes import draw_scene
from boxfind.samples.svg import drawing_names, render
from retrieval.errors import GalleryProblem
from retrieval.types import Box, Image, Progress

VERSION = 3
"""Raise this with every change to the drawings; folders of another version are regenerated."""
SEED = 7
OBJECTS = drawing_names("objects")
GALLERY_SIDES = ((0.62, 0.72), (0.52, 0.62), (0.44, 0.54), (0.36, 0.45), (0.28, 0.36))
"""Range of the object's longest side in each of its gallery images, as a share of the image's shorter side."""
QUERY_SIDES = ((0.50, 0.64), (0.46, 0.66))
"""The same for its query images; the first of them also shows a second object."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of an object; `number` counts from 0 through its gallery images, then its query images."""

    name: str
    number: int

    @property
    def is_query(self) -> bool:
        return self.number >= len(GALLERY_SIDES)

    @property
    def query(self) -> str:
        """`badge-1` is the first query of the object `badge`."""
        return f"{self.name}-{self.number - len(GALLERY_SIDES) + 1}"

    @property
    def file(self) -> str:
        scene = self.number - len(GALLERY_SIDES) + 1
        return f"{self.name}-in-scene-{scene}.jpg" if self.is_query else f"{self.name}-{self.number + 1}.jpg"


SAMPLES = tuple(Sample(name, number) for name in OBJECTS for number in range(len(GALLERY_SIDES) + len(QUERY_SIDES)))


def draw_samples(folder: Path, progress: Progress) -> None:
    """Generate the data set in the folder, replacing its content. Do nothing if it is already complete.

    Raises GalleryProblem when the folder is not writable.
    """
    if is_complete(folder):
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            if not is_complete(folder):  # another process may have finished it
                _replace(folder, progress)
    except OSError as error:
        reason = error.strerror or error
        raise GalleryProblem(
            f"The sample gallery cannot be created in {folder}: {reason}. Set BOXFIND_DATA to a writable folder with "
            "free space, or BOXFIND_GALLERY to your own picture folder."
        ) from None


def is_complete(folder: Path) -> bool:
    """Whether the folder holds a complete data set of this version; samples.json is written last."""
    try:
        return bool(json.loads((folder / "samples.json").read_text(encoding="utf-8"))["version"] == VERSION)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def draw_sample(sample: Sample) -> tuple[Image, Box]:
    """Draw one image; return it with the box of its object. Deterministic."""
    which, number = OBJECTS.index(sample.name), sample.number
    names = [sample.name]
    if number == len(GALLERY_SIDES):
        names.append(OBJECTS[(which + 7) % len(OBJECTS)])
    background = list(BACKGROUNDS)[(2 * which + number) % len(BACKGROUNDS)]
    sides = (GALLERY_SIDES + QUERY_SIDES)[number]
    rng = np.random.default_rng((SEED, which, number))
    image, boxes = draw_scene(rng, background, [render(f"objects/{name}") for name in names], sides)
    return image, boxes[0]


def _replace(folder: Path, progress: Progress) -> None:
    """Draw into a temporary folder, then move it into place."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    _draw_all(part, progress)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(part, folder)


def _draw_all(folder: Path, progress: Progress) -> None:
    """Write the images, the tables, and last samples.json, which marks the folder as complete."""
    for part in ("gallery", "queries"):
        (folder / part).mkdir(parents=True)
    boxes = {}
    for done, sample in enumerate(SAMPLES):
        progress("Creating the sample gallery", done, len(SAMPLES))
        image, boxes[sample] = draw_sample(sample)
        place = folder / ("queries" if sample.is_query else "gallery") / sample.file
        Pillow.fromarray(image).save(place, "JPEG", quality=90)
    _write_tables(folder, boxes)
    (folder / "samples.json").write_text(json.dumps({"version": VERSION, "pictures": len(SAMPLES)}), encoding="utf-8")
    progress("Creating the sample gallery", len(SAMPLES), len(SAMPLES))


def _write_tables(folder: Path, boxes: dict[Sample, Box]) -> None:
    queries = [sample for sample in SAMPLES if sample.is_query]
    pairs = [(query, sample) for query in queries for sample in SAMPLES if sample.name == query.name]
    asked = [(query.query, query.file, *boxes[query].xywh) for query in queries]
    relevant = [(query.query, sample.file, *boxes[sample].xywh) for query, sample in pairs if not sample.is_query]
    columns = ("query", "image", "x", "y", "w", "h")
    tables: dict[str, list[tuple[object, ...]]] = {
        "queries": [columns, *asked],
        "relevant": [columns, *relevant],
        "ignore": [columns[:2]],
    }
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
