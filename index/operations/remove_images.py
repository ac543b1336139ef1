"""Pictures taken out of the gallery folder from outside: they are moved aside, never destroyed."""

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
    """Moves a picture from the gallery folder `root` to a new folder below `aside`; where it lies then.

    `gallery`: what is indexed of it. Raises UnknownPicture, PictureGone when there is no such file any more, DiskFull,
    and GalleryProblem when it is a link or cannot be moved.
    """
    path = os.fsdecode(gallery.entry(image).path)
    file = root / path
    if not file.is_file():
        raise PictureGone(f"{shown(image)} is not in the gallery folder any more.")
    if file.is_symlink() or not file.resolve().is_relative_to(root.resolve()):
        raise GalleryProblem(f"{shown(image)} is a link to another file; whoever runs this program can take it away.")
    place = aside / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    target = place / path
    try:
        target.parent.mkdir(parents=True)
        shutil.move(file, target)
    except OSError as error:
        if file.is_file():  # what could be copied, but not taken away, stays only where it was
            shutil.rmtree(place, ignore_errors=True)
        if error.errno in FULL:
            raise DiskFull(f"There is no room to put {shown(image)} aside; make room and try again.") from None
        raise GalleryProblem(
            f"{shown(image)} cannot be moved: {error.strerror}. Allow this program to write to the gallery folder."
        ) from None
    return target
