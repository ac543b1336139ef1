"""Which pictures a gallery folder holds, and under which ids."""

import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from retrieval.errors import GalleryProblem
from retrieval.images import SUFFIXES, shown


@dataclass(frozen=True, slots=True)
class Found:
    """A picture file. `id`: its path below the gallery as POSIX text in NFC; `path`: the same as the disk spells it."""

    id: str
    path: Path


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not in the index: a short reason code, and a sentence for a person."""

    file: str
    reason: str
    sentence: str


def find_pictures(gallery: Path) -> tuple[list[Found], list[Skipped]]:
    """Every picture below the folder in the order of ids, hidden files left aside, and links that lead elsewhere.

    Raises GalleryProblem when the folder is not there.
    """
    if not gallery.is_dir():
        raise GalleryProblem(f"There is no gallery folder {gallery}; check the path, or that its disk is connected.")
    root = gallery.resolve()
    found: dict[str, Found] = {}
    skipped = []
    for path in _files_below(root):
        relative = os.fsencode(path.relative_to(root).as_posix()).decode("utf-8", "replace")
        image_id = unicodedata.normalize("NFC", relative)
        problem = _problem(path, root)
        if problem:
            skipped.append(Skipped(image_id, *problem))
            continue
        while image_id in found:  # two names that look the same: the disk tells them apart, so do we
            image_id += "~"
        found[image_id] = Found(image_id, path)
    return [found[image_id] for image_id in sorted(found)], skipped


def _files_below(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and name.lower().endswith(SUFFIXES):
                yield Path(folder, name)


def _problem(path: Path, root: Path) -> tuple[str, str] | None:
    name = shown(path.name)
    try:
        if path.is_symlink() and not path.resolve(strict=True).is_relative_to(root):
            return "outside", f"{name} is a link to a file outside the gallery."
        if not stat.S_ISREG(path.stat().st_mode):
            return "special", f"{name} is not a file."
    except (OSError, RuntimeError):
        return "dangling", f"{name} is a link to nothing."
    return None
