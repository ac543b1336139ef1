"""Remove images from the gallery folder by moving them aside; nothing is deleted."""

import os
import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path

from index.gallery import Gallery
from index.storage.disk_space import FULL
from retrieval.errors import DiskFull, GalleryProblem, PictureGone
from retrieval.printable_names import shown


def remove_from_gallery(image: str, root: Path, gallery: Gallery, aside: Path) -> Path:
    """Move an image from the gallery to a new folder below `aside`; returns its new path. `root`: its first folder.

    For a page or frame, that is the whole file. `gallery` is the index of the folder. Raises UnknownPicture,
    PictureGone if the file no longer exists, DiskFull, and GalleryProblem if it is a link or cannot be moved.
    """
    path = os.fsdecode(gallery.entry(image).path)
    file = root / path
    if not file.is_file():
        raise PictureGone(f"{shown(image)} is no longer in the gallery folder.")
    folders = (root, *map(Path, gallery.manifest.more_folders))
    if file.is_symlink() or not any(file.resolve().is_relative_to(folder.resolve()) for folder in folders):
        raise GalleryProblem(
            f"{shown(image)} is a link to another file; ask the operator of this program to remove it."
        )
    place = aside / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    target = place / (gallery.entry(image).source if Path(path).is_absolute() else path)
    try:
        target.parent.mkdir(parents=True)
        shutil.move(file, target)
    except OSError as error:
        if file.is_file():  # copied but not deleted: drop the copy
            shutil.rmtree(place, ignore_errors=True)
        if error.errno in FULL:
            raise DiskFull(
                f"The disk is full, so {shown(image)} was not removed; free some space and try again."
            ) from None
        raise GalleryProblem(
            f"{shown(image)} cannot be moved: {error.strerror}. Allow this program to write to the gallery folder."
        ) from None
    return target
