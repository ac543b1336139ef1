"""Some pictures of a gallery, for measurements that cannot take all of them."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from index.storage.folder_scan import find_pictures


def chosen(gallery: Path, count: int) -> list[Path]:
    """So many pictures, spread evenly, all of which OpenCV can read too; reading them also fills the page cache."""
    found = [picture.path for picture in find_pictures(gallery)[0]]
    spread = [found[i] for i in np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int)]
    return [path for path in spread if cv2.imread(str(path)) is not None]


def copied(pictures: Sequence[Path], folder: Path) -> list[Path]:
    """The pictures as a gallery of their own."""
    folder.mkdir(parents=True)
    return [Path(shutil.copy(path, folder / f"{number:05d}{path.suffix}")) for number, path in enumerate(pictures)]
