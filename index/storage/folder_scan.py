"""Which pictures a gallery folder holds, and under which ids."""

import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from retrieval.errors import GalleryProblem
from retrieval.images.limits import SUFFIXES
from retrieval.printable_names import shown


@dataclass(frozen=True, slots=True)
class Found:
    """A picture file. `id`: its path below the gallery as POSIX text in NFC; `path`: the same as the disk spells it."""

    id: str
    path: Path
    bytes: int
    """Size and time of change as they were when the folder was looked through, of what a link leads to."""
    mtime: float


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not in the index: a short reason code, and a sentence for a person.

    Size and time of change are 0 where they could not be had, and for links that are not followed.
    """

    file: str
    reason: str
    sentence: str
    bytes: int = 0
    mtime: float = 0.0


def find_pictures(gallery: Path) -> tuple[list[Found], list[Skipped]]:
    """Every picture below the folder in the order of ids, and what was left out: links that lead elsewhere, odd files.

    Hidden files and folders, and files without the suffix of a picture, are not mentioned. Ids of both lists are
    distinct. Raises GalleryProblem when the folder is not there or may not be read.
    """
    if not gallery.is_dir():
        raise GalleryProblem(f"There is no gallery folder {gallery}; check the path, or that its disk is connected.")
    root = gallery.resolve()
    found, skipped, taken = [], [], set[str]()
    for image_id, _, path, error in sorted(_named(root), key=lambda entry: entry[:3]):
        while image_id in taken:  # two names that look the same: the disk tells them apart, so do we
            image_id += "~"
        taken.add(image_id)
        entry = _judged(image_id, path, root) if error is None else _failed(image_id, path, error)
        if isinstance(entry, Found):
            found.append(entry)
        else:
            skipped.append(entry)
    return sorted(found, key=lambda f: f.id), skipped


def path_bytes(path: PurePath) -> bytes:
    """A path as the disk spells it, with / between the parts on every system."""
    return os.fsencode(path.as_posix())


def _named(root: Path) -> Iterator[tuple[str, bool, Path, OSError | None]]:
    """What is below the folder as id, whether the disk spells it otherwise, path, and why it could not be opened."""
    for path, error in _below(root):
        spelled = path_bytes(path.relative_to(root))
        image_id = unicodedata.normalize("NFC", spelled.decode("utf-8", "replace"))
        yield image_id, image_id.encode() != spelled, path, error


def _below(root: Path) -> Iterator[tuple[Path, OSError | None]]:
    """Files with the suffix of a picture, links to folders, and folders that cannot be opened."""
    failed: list[OSError] = []
    for folder, folders, files in os.walk(root, onerror=failed.append, followlinks=False):
        shown_folders = [name for name in folders if not name.startswith(".")]
        links = [name for name in shown_folders if Path(folder, name).is_symlink()]
        pictures = [name for name in files if not name.startswith(".") and name.lower().endswith(SUFFIXES)]
        yield from ((Path(folder, name), None) for name in links + pictures)
        folders[:] = [name for name in shown_folders if name not in links]
    for error in failed:
        if Path(error.filename) == root:
            raise GalleryProblem(f"The gallery folder {root} cannot be opened: {error.strerror}.")
        yield Path(error.filename), error


def _judged(image_id: str, path: Path, root: Path) -> Found | Skipped:
    name = shown(path.name)
    try:
        outside = path.is_symlink() and not path.resolve(strict=True).is_relative_to(root)
        status = path.stat()
    except PermissionError as error:
        return _failed(image_id, path, error)
    except (OSError, RuntimeError):  # a loop is one or the other, by the version of Python
        return Skipped(image_id, "dangling", f"{name} is a link to nothing.")
    if stat.S_ISDIR(status.st_mode):
        where = "outside the gallery" if outside else "inside the gallery; its pictures are indexed where they are"
        return Skipped(image_id, "outside" if outside else "link", f"{name} is a link to a folder {where}.")
    if outside:
        return Skipped(image_id, "outside", f"{name} is a link to a file outside the gallery.")
    if not stat.S_ISREG(status.st_mode):
        return Skipped(image_id, "special", f"{name} is not a file.", status.st_size, status.st_mtime)
    return Found(image_id, path, status.st_size, status.st_mtime)


def _failed(image_id: str, path: Path, error: OSError) -> Skipped:
    if isinstance(error, PermissionError):
        return Skipped(image_id, "permission", f"{shown(path.name)} may not be read; change its permissions.")
    return Skipped(image_id, "unreadable", f"{shown(path.name)} cannot be read: {error.strerror}.")
