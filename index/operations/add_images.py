"""Add uploaded images to the gallery folder. Only readable images; existing files are never overwritten."""

import hashlib
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath

from index.gallery import Gallery
from index.storage.disk_space import FULL
from index.storage.file_system import sync
from retrieval.errors import BoxfindError, DiskFull, GalleryProblem, UnreadableImage
from retrieval.images.limits import SUFFIXES
from retrieval.printable_names import shown
from retrieval.types import Image

ADDED = "added"
"""Subfolder of the gallery for added images, separate from the owner's folders."""
FORBIDDEN = set('<>:"|?*')
"""Characters not allowed in Windows file names. A colon would write to a hidden alternate data stream."""
LONGEST = 240
"""Longest file name in bytes. File systems allow 255; the rest is room for a number."""


class AlreadyThere(BoxfindError):
    """The gallery already has a picture with the same bytes."""


class ImageAdder:
    """Adds images to a gallery folder one by one. Several processes may add to the same folder."""

    def __init__(self, root: Path, gallery: Gallery, read: Callable[[bytes, str], Image]) -> None:
        """`root` is the gallery folder, `gallery` its index. `read` decodes a file or raises UnreadableImage."""
        self._root = root
        self._gallery = gallery
        self._read = read
        self._added: dict[str, str] = {}

    def take(self, name: str, data: bytes) -> str:
        """Write the unchanged bytes to a new file in `added`; returns the id the next build will give it.

        `name` must be a plain file name with an image suffix. If it is taken, a number is appended. Raises
        UnreadableImage, AlreadyThere, DiskFull, and GalleryProblem if the folder is missing or not writable.
        """
        if not _is_plain(name):
            raise UnreadableImage("name", f"{shown(name)} is not a valid name for a picture in the gallery; rename it.")
        contents = hashlib.sha256(data).hexdigest()
        try:
            known = self._added.get(contents) or self._indexed(contents)
            if known:
                raise AlreadyThere(f"{shown(name)} is already in the gallery, as {shown(known)}.")
            self._read(data, name)
            self._added[contents] = _put(_folder(self._root), name, data)
        except OSError as error:
            if error.errno in FULL:
                raise DiskFull(
                    f"The disk of the gallery is full; free some space and add {shown(name)} again."
                ) from None
            raise GalleryProblem(
                f"The gallery folder is not writable: {error.strerror}. Allow this program to write there, and try "
                "again."
            ) from None
        return self._added[contents]

    def _indexed(self, contents: str) -> str | None:
        """The id of an indexed image with this SHA-256 whose file still exists."""
        image = self._gallery.tables.with_contents(contents)
        there = image and (self._root / os.fsdecode(self._gallery.entry(image).path)).is_file()
        return image if there else None


def _is_plain(name: str) -> bool:
    """Whether this is a valid file name on every system, and a build would index the file."""
    parts = PurePosixPath(name).name, PureWindowsPath(name).name
    plain = parts == (name, name) and not name.startswith(".") and name.isprintable()
    if sys.platform == "win32" and set(name) & FORBIDDEN:
        return False
    return plain and name.lower().endswith(SUFFIXES) and len(name.encode()) <= LONGEST


def _folder(root: Path) -> Path:
    """The folder `added`, created if missing. Raises GalleryProblem, OSError."""
    if not root.is_dir() or not any(root.iterdir()):
        raise GalleryProblem("The gallery folder is empty or missing; check that its disk is connected.")
    folder = root / ADDED
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise GalleryProblem(f"{ADDED} in the gallery folder is not a folder, or is a link; rename it.")
    folder.mkdir(exist_ok=True)
    return folder


def _put(folder: Path, name: str, data: bytes) -> str:
    """Write a temporary file and rename it to a free name; its id. Raises AlreadyThere, OSError."""
    part = folder / f".{secrets.token_hex(8)}.part"  # hidden, so a build ignores it
    stem, dot, suffix = name.rpartition(".")
    target, number = folder / name, 1
    try:
        part.write_bytes(data)
        sync(part)
        while not _moved(part, target):
            if _has_contents(target, data):  # added before, but not indexed yet
                raise AlreadyThere(f"{shown(name)} is already in the gallery, as {ADDED}/{shown(target.name)}.")
            number += 1
            target = folder / f"{stem}-{number}{dot}{suffix}"
    finally:
        part.unlink(missing_ok=True)
    return f"{ADDED}/{target.name}"


def _moved(part: Path, target: Path) -> bool:
    """Rename a file if the target name is free; False if it is taken. Safe against concurrent writers."""
    try:
        target.touch(exist_ok=False)
    except FileExistsError:
        return False
    try:
        os.replace(part, target)
    except OSError:
        target.unlink()
        raise
    return True


def _has_contents(file: Path, data: bytes) -> bool:
    """Whether this is a regular file, not a link, with exactly these bytes."""
    if file.is_symlink() or not file.is_file():
        return False
    return file.stat().st_size == len(data) and file.read_bytes() == data
