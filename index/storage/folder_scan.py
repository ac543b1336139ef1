"""Scan a gallery folder for image files and assign their ids."""

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
class ScannedFile:
    """An image file. `id` is its path relative to the gallery, POSIX style in NFC; `path` is its real path."""

    id: str
    path: Path
    relative: bytes
    """Path relative to the gallery, as raw file system bytes."""
    bytes: int
    """Size and mtime at the time of the scan; for links those of the target."""
    mtime: float


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not indexed, with a reason code and a sentence for users.

    Size and mtime are 0 if unknown, and for links that are not followed.
    """

    file: str
    reason: str
    sentence: str
    bytes: int = 0
    mtime: float = 0.0


def find_pictures(gallery: Path) -> tuple[list[ScannedFile], list[Skipped]]:
    """Find all images below the folder, sorted by id, and the skipped files: outside links, special files and so on.

    Hidden files and folders, and files without an image suffix, are in neither list. Ids are unique across both.
    Raises GalleryProblem if the folder is missing or not readable.
    """
    if not gallery.is_dir():
        raise GalleryProblem(
            f"The gallery folder {gallery} does not exist; check the path, and that its disk is connected."
        )
    root = gallery.resolve()
    entries = []
    for path, error in _walk(root):
        relative = path_bytes(path.relative_to(root))
        image_id = unicodedata.normalize("NFC", relative.decode("utf-8", "replace"))
        entries.append((image_id, image_id.encode() != relative, path, relative, error))
    found, skipped, taken = [], [], set[str]()
    for image_id, _, path, relative, error in sorted(entries, key=lambda entry: entry[:3]):
        while image_id in taken:  # distinct file names with the same NFC form; the one in NFC keeps the id
            image_id += "~"
        taken.add(image_id)
        entry = _unreadable(image_id, path, error) if error else _classify(image_id, path, relative, root)
        if isinstance(entry, ScannedFile):
            found.append(entry)
        else:
            skipped.append(entry)
    return sorted(found, key=lambda f: f.id), skipped


def path_bytes(path: PurePath) -> bytes:
    """A path as raw file system bytes, with / as the separator on every system."""
    return os.fsencode(path.as_posix())


def _walk(root: Path) -> Iterator[tuple[Path, OSError | None]]:
    """Yield files with an image suffix, links to folders, and folders that cannot be opened (with the error)."""
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


def _classify(image_id: str, path: Path, relative: bytes, root: Path) -> ScannedFile | Skipped:
    name = shown(path.name)
    try:
        outside = path.is_symlink() and not path.resolve(strict=True).is_relative_to(root)
        status = path.stat()
    except PermissionError as error:
        return _unreadable(image_id, path, error)
    except (OSError, RuntimeError):  # a link loop raises either, depending on the Python version
        return Skipped(image_id, "dangling", f"{name} is a broken link.")
    if stat.S_ISDIR(status.st_mode):
        where = "outside the gallery" if outside else "inside the gallery; its pictures are indexed by real path"
        return Skipped(image_id, "outside" if outside else "link", f"{name} is a link to a folder {where}.")
    if outside:
        return Skipped(image_id, "outside", f"{name} is a link to a file outside the gallery.")
    if not stat.S_ISREG(status.st_mode):
        return Skipped(image_id, "special", f"{name} is not a regular file.", status.st_size, status.st_mtime)
    return ScannedFile(image_id, path, relative, status.st_size, status.st_mtime)


def _unreadable(image_id: str, path: Path, error: OSError) -> Skipped:
    if isinstance(error, PermissionError):
        return Skipped(image_id, "permission", f"{shown(path.name)} may not be read; change its permissions.")
    return Skipped(image_id, "unreadable", f"{shown(path.name)} cannot be read: {error.strerror}.")
