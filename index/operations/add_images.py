"""Add uploaded images to the gallery folder. Only readable images; existing files are never overwritten."""

import hashlib
import os
import secrets
import unicodedata
from collections.abc import Callable
from pathlib import Path

from pathvalidate import is_valid_filename

from index.gallery import Gallery
from index.storage.disk_space import FULL
from index.storage.file_system import is_junction, sync
from index.storage.gallery_rules import DEFAULT_RULES, IGNORE_FILE, NO_MEDIA, GalleryRules, check_side, ignores
from retrieval.errors import BoxfindError, DiskFull, GalleryProblem, UnreadableImage
from retrieval.images.decode import LoadedImage
from retrieval.images.limits import SOURCE_SUFFIXES
from retrieval.printable_names import shown

ADDED = "added"
"""Subfolder of the gallery for added images by default, separate from the owner's folders."""
DEEPEST = 10
"""Most levels of a folder for added images."""
LONGEST = 240
"""Longest file name in bytes. File systems allow 255; the rest is room for a number."""


class AlreadyThere(BoxfindError):
    """The gallery already has a picture with the same bytes."""


class ImageAdder:
    """Adds images to a gallery folder one by one. Several processes may add to the same folder."""

    def __init__(
        self,
        root: Path,
        gallery: Gallery | None,
        read: Callable[[bytes, str], LoadedImage],
        rules: GalleryRules = DEFAULT_RULES,
        folder: str = ADDED,
    ) -> None:
        """`root` is the gallery folder, `gallery` its index, or None before the first build.

        `read` decodes a file or raises UnreadableImage. What `rules` leave out of the index is refused. `folder` is
        where the images go, relative to the gallery ("" for the gallery itself); it is made if it is missing. Raises
        GalleryProblem if it is not a valid folder.
        """
        self._root = root
        self._below = f"{checked_folder(folder)}/" if folder else ""
        self._rules = rules
        self._gallery = gallery
        self._read = read
        self._added: dict[str, str] = {}

    def take(self, name: str, data: bytes) -> str:
        """Write the unchanged bytes to a new file in the folder; returns the id the next build will give it.

        `name` must be a file name with the suffix of a picture, document or film that Windows, macOS and Linux allow.
        If it is taken, a number is appended. Raises UnreadableImage, also if the index would leave the picture out,
        AlreadyThere, DiskFull, what `read` raises, and GalleryProblem if the folder is missing or not writable, or the
        rules cannot be read.
        """
        name = unicodedata.normalize("NFC", name)  # as in ids
        if not _is_plain(name):
            raise UnreadableImage("name", f"{shown(name)} is not a valid name for a picture in the gallery; rename it.")
        if ignores(self._root, self._below + name, self._rules):
            raise UnreadableImage(
                "left_out",
                f"{shown(self._below + name)} would be left out of the index, by BOXFIND_IGNORE or a file "
                f"{IGNORE_FILE} or {NO_MEDIA}; change these.",
            )
        contents = hashlib.sha256(data).hexdigest()
        try:
            known = self._added.get(contents) or self._indexed(contents)
            if known:
                raise AlreadyThere(f"{shown(name)} is already in the gallery, as {shown(known)}.")
            check_side(name, self._read(data, name).size, self._rules.min_side)
            self._added[contents] = _put(self._folder(), self._below, name, data)
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
        if self._gallery is None:
            return None
        image = self._gallery.tables.with_file(contents)
        there = image and (self._root / os.fsdecode(self._gallery.entry(image).path)).is_file()
        return image if there else None

    def _folder(self) -> Path:
        """The folder for the images. Raises GalleryProblem, OSError."""
        known = self._gallery is not None  # an indexed gallery that is empty now is a disk that is not connected
        if not self._root.is_dir() or (known and not any(self._root.iterdir())):
            raise GalleryProblem("The gallery folder is empty or missing; check that its disk is connected.")
        return _folder(self._root, self._below)


def checked_folder(name: str) -> str:
    """A folder below the gallery in the form of ids: parts separated by /, in NFC. Raises GalleryProblem.

    Every part is a name that Windows, macOS and Linux allow, and not hidden.
    """
    parts = [unicodedata.normalize("NFC", part.strip()) for part in name.split("/")]
    if len(parts) > DEEPEST or not all(map(_is_plain_folder, parts)):
        raise GalleryProblem(
            f"{shown(name)} is not a valid folder. Write a name such as holidays, or holidays/2024; names cannot start "
            'or end with a dot, or contain any of < > : " \\ | ? *.'
        )
    return "/".join(parts)


def _is_plain(name: str) -> bool:
    """Whether this is a valid file name on every system, and a build would index the file."""
    if name.startswith(".") or not name.isprintable() or not name.lower().endswith(SOURCE_SUFFIXES):
        return False
    return is_valid_filename(name, platform="universal", max_len=LONGEST)  # bytes


def _is_plain_folder(name: str) -> bool:
    """Whether this is a valid folder name on every system, and a build would look into the folder."""
    plain = name.isprintable() and not name.startswith(".")
    return plain and is_valid_filename(name, platform="universal", max_len=LONGEST)  # bytes


def _folder(root: Path, below: str) -> Path:
    """The folder `below`, made if missing. Raises GalleryProblem, OSError."""
    folder = root
    for part in below.split("/")[:-1]:
        folder = _child(folder, part)
        if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or is_junction(folder.lstat()))):
            raise GalleryProblem(f"{shown(part)} in the gallery folder is not a folder, or is a link; rename it.")
        folder.mkdir(exist_ok=True)
    return folder


def _child(folder: Path, name: str) -> Path:
    """The file or folder with this name in NFC, however it is written on the disk; macOS writes NFD."""
    if (folder / name).exists() or name.isascii():
        return folder / name
    same = (path for path in folder.iterdir() if unicodedata.normalize("NFC", path.name) == name)
    return min(same, default=folder / name)


def _put(folder: Path, below: str, name: str, data: bytes) -> str:
    """Write a temporary file and rename it to a free name; its id. Raises AlreadyThere, OSError."""
    part = folder / f".{secrets.token_hex(8)}.part"  # hidden, so a build ignores it
    stem, dot, suffix = name.rpartition(".")
    target, number = folder / name, 1
    try:
        part.write_bytes(data)
        sync(part)
        while not _moved(part, target):
            if _has_contents(target, data):  # added before, but not indexed yet
                raise AlreadyThere(f"{shown(name)} is already in the gallery, as {shown(below + target.name)}.")
            number += 1
            target = folder / f"{stem}-{number}{dot}{suffix}"
    finally:
        part.unlink(missing_ok=True)
    return below + target.name


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
