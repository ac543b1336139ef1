"""Select and copy a subset of the pictures of a gallery."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from index.storage.folder_scan import find_pictures


def chosen(gallery: Path, count: int) -> list[Path]:
    """Up to `count` evenly spaced pictures that OpenCV can read. Reading them also fills the page cache."""
    found = [picture.path for picture in find_pictures(gallery)[0]]
    spread = [found[i] for i in np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int)]
    return [path for path in spread if cv2.imread(str(path)) is not None]


def copied(pictures: Sequence[Path], folder: Path) -> list[Path]:
    """Copy pictures into a new gallery folder and return the copies."""
    folder.mkdir(parents=True)
    return [Path(shutil.copy(path, folder / f"{number:05d}{path.suffix}")) for number, path in enumerate(pictures)]
