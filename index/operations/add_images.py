"""Pictures put into the gallery folder from outside: only readable ones, and what is there already stays as it is."""

import hashlib
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from index.gallery import Gallery
from index.storage.disk_space import FULL
from retrieval.errors import BoxfindError, DiskFull, GalleryProblem, UnreadableImage
from retrieval.images.limits import SUFFIXES
from retrieval.printable_names import shown
from retrieval.types import Image

ADDED = "added"
"""The folder below the gallery that they are put into: those of its owner stay as they are."""
FORBIDDEN = set('<>:"|?*')
"""What no name on Windows may hold; what follows a colon would even be written where nobody finds it."""
LONGEST = 240
"""Bytes of a name; systems allow 255, and a number may be put to it."""


class AlreadyThere(BoxfindError):
    """The gallery has a picture with exactly these bytes."""


class ImageAdder:
    """Takes pictures into a gallery folder, one after the other; others may do the same to it at the same time."""

    def __init__(self, root: Path, gallery: Gallery, read: Callable[[bytes, str], Image]) -> None:
        """`root`: the gallery folder; `gallery`: what is indexed of it; `read`: decodes, or raises UnreadableImage."""
        self._root = root
        self._gallery = gallery
        self._read = read
        self._taken: dict[str, str] = {}

    def take(self, name: str, data: bytes) -> str:
        """Puts the bytes, as they are, into a new file below `added`; the id that the next build gives it.

        The name is a plain one with the suffix of a picture; where another file has it, a number is put to it. Raises
        UnreadableImage, AlreadyThere, DiskFull, and GalleryProblem when the folder is not there or cannot be written.
        """
        if not _is_plain(name):
            raise UnreadableImage("name", f"{shown(name)} cannot be the name of a picture in the gallery; rename it.")
        contents = hashlib.sha256(data).hexdigest()
        with _refusals(name):
            known = self._taken.get(contents) or self._indexed(contents)
            if known:
                raise AlreadyThere(f"{shown(name)} is in the gallery already, as {shown(known)}.")
            self._read(data, name)
            self._taken[contents] = _put(_folder(self._root), name, data)
        return self._taken[contents]

    def _indexed(self, contents: str) -> str | None:
        """The id of a picture with these contents that is in the index and still in the folder."""
        image = self._gallery.tables.with_contents(contents)
        there = image and (self._root / os.fsdecode(self._gallery.entry(image).path)).is_file()
        return image if there else None


def _is_plain(name: str) -> bool:
    """Whether it is a file name on every system, of a file that a build looks at."""
    parts = PurePosixPath(name).name, PureWindowsPath(name).name
    plain = parts == (name, name) and not name.startswith(".") and name.isprintable()
    if sys.platform == "win32" and set(name) & FORBIDDEN:
        return False
    return plain and name.lower().endswith(SUFFIXES) and len(name.encode()) <= LONGEST


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DiskFull(
                f"There is no more room for {shown(name)} on the disk of the gallery; make room and add it again."
            ) from None
        raise GalleryProblem(
            f"Nothing can be put into the gallery folder: {error.strerror}. Allow this program to write there, and try "
            "again."
        ) from None


def _folder(root: Path) -> Path:
    """`added`, made where it is not there. Raises GalleryProblem, OSError."""
    if not root.is_dir() or not any(root.iterdir()):
        raise GalleryProblem("The gallery folder is empty or not there; see that its disk is connected.")
    folder = root / ADDED
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise GalleryProblem(f"{ADDED} in the gallery folder is no folder, or a link to one; rename it.")
    folder.mkdir(exist_ok=True)
    return folder


def _put(folder: Path, name: str, data: bytes) -> str:
    """Writes a file beside its place and moves it there; its id. Raises AlreadyThere, OSError."""
    part = folder / f".{secrets.token_hex(8)}.part"  # hidden: a build passes it over
    stem, dot, suffix = name.rpartition(".")
    target, number = folder / name, 1
    try:
        _write(part, data)
        while not _moved(part, target):
            if _holds(target, data):  # put there before, and not indexed yet
                raise AlreadyThere(f"{shown(name)} is in the gallery already, as {ADDED}/{shown(target.name)}.")
            number += 1
            target = folder / f"{stem}-{number}{dot}{suffix}"
    finally:
        part.unlink(missing_ok=True)
    return f"{ADDED}/{target.name}"


def _write(file: Path, data: bytes) -> None:
    with file.open("xb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def _moved(part: Path, target: Path) -> bool:
    """Moves a file to a name that is free, and False where it is not: of many that want a name one gets it."""
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


def _holds(file: Path, data: bytes) -> bool:
    """Whether it is a file, not a link, of exactly these bytes."""
    if file.is_symlink() or not file.is_file():
        return False
    return file.stat().st_size == len(data) and file.read_bytes() == data
