"""Choose the pictures on which networks are compared, and cut the crops that have to find them."""

import zlib
from dataclasses import dataclass

import numpy as np

from boxfind.evaluation.augmented_crops import augment, draw_box
from boxfind.evaluation.dataset import Dataset
from boxfind.settings import Settings
from index.building.visiting_order import visiting_order
from index.storage.folder_scan import ScannedFile, scan_gallery
from retrieval.errors import BadDataset, GalleryProblem, UnreadableImage
from retrieval.images.decode import load_image
from retrieval.images.file_kinds import FORMAT_OF_SUFFIX, PDF, VIDEO, ZIP, suffix_of
from retrieval.images.places import split_id
from retrieval.printable_names import shown
from retrieval.types import Image, Progress

CROPS = 200
"""Number of crops, one to a picture; their figures are certain to about 7 percentage points."""
SEED = 2026


@dataclass(frozen=True, slots=True)
class Crop:
    """A changed piece of the picture with this id."""

    picture: str
    image: Image


def choose_files(settings: Settings, count: int, labelled: Dataset | None = None) -> list[ScannedFile]:
    """Choose `count` files of a collection, spread evenly over its folders and dates.

    Documents and films are left out. All files with labels of a data set come first, however many they are. Raises
    GalleryProblem when there are no pictures, BadDataset when none of the relevant ones is among them.
    """
    found = visiting_order(scan_gallery(settings.gallery_dir, settings.gallery_rules).found)
    named = _with_labels(labelled) if labelled else set()
    first = [file for file in found if file.id in named]
    if labelled and not {file.id for file in first} & _relevant(labelled):
        raise BadDataset(
            f"No relevant picture of {shown(labelled.name)} is in {settings.gallery_dir}; "
            "name the collection that it belongs to with --on."
        )
    others = [file for file in found if file.id not in named and holds_one(file)]
    if not first and not others:
        raise GalleryProblem(f"There are no pictures in {settings.gallery_dir}; networks are compared on pictures.")
    return [*first, *others[: max(count - len(first), 0)]]


def holds_one(file: ScannedFile) -> bool:
    """Whether a file is a picture by its suffix, and no document, archive or film."""
    return FORMAT_OF_SUFFIX.get(suffix_of(file.path.name), "") not in (PDF, ZIP, VIDEO)


def make_crops(files: list[ScannedFile], incomplete: bool, progress: Progress, count: int = CROPS) -> list[Crop]:
    """Cut one crop out of each of the first `count` readable pictures, in their order. Equal files give equal crops.

    All files are read once, so that no network has to wait longer for the disk than the next one. Raises GalleryProblem
    when no picture can be read.
    """
    crops: list[Crop] = []
    for done, file in enumerate(files, start=1):
        if len(crops) >= count or not holds_one(file):
            _read(file)
        elif crop := _crop(file, incomplete):
            crops.append(crop)
        progress("Cutting crops out of pictures", done, len(files))
    if not crops:
        raise GalleryProblem("None of the chosen pictures can be read; `boxfind skipped` says why.")
    return crops


def _crop(file: ScannedFile, incomplete: bool) -> Crop | None:
    """None if the picture cannot be read."""
    rng = np.random.default_rng([SEED, zlib.crc32(file.id.encode())])
    try:
        image = load_image(file.path, incomplete)
    except UnreadableImage:  # the builds skip it, too
        return None
    return Crop(file.id, augment(image, draw_box(image, rng), rng))


def _read(file: ScannedFile) -> None:
    try:
        with file.path.open("rb") as data:
            while data.read(1 << 20):
                pass
    except OSError:  # the builds skip it
        pass


def _relevant(dataset: Dataset) -> set[str]:
    """The ids of the files with relevant pictures."""
    return {split_id(i)[0] for labels in dataset.labels.values() for ids in labels.relevant.values() for i in ids}


def _with_labels(dataset: Dataset) -> set[str]:
    """The ids of all files with a label."""
    tables = [t for labels in dataset.labels.values() for t in (labels.ignored, labels.wrong or {})]
    return _relevant(dataset) | {split_id(image)[0] for table in tables for ids in table.values() for image in ids}
