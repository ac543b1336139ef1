"""Pictures of a comic book or another ZIP archive, in the order of their names. Nothing is unpacked to disk."""

import lzma
import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Self

from retrieval.errors import UnreadableImage
from retrieval.images.decode import LoadedImage, decode_picture
from retrieval.images.file_kinds import suffix_of
from retrieval.images.limits import MEGABYTE, SUFFIXES, SourceLimits
from retrieval.images.places import no_such_place, number_of, page_place
from retrieval.printable_names import shown

ENTRIES = 100_000
"""Most files of an archive, pictures and others; the list is read into memory."""
BROKEN = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(OSError, EOFError, NotImplementedError, RuntimeError, ValueError, MemoryError),
)


class ArchivePages:
    """The pictures of a ZIP archive; other files in it, and archives, are not looked at."""

    def __init__(self, path: Path, name: str, limits: SourceLimits, incomplete: bool = False) -> None:
        """Raises UnreadableImage if the file is damaged or has no picture."""
        self._name, self._incomplete, self._limits = name, incomplete, limits
        try:
            self._archive = zipfile.ZipFile(path)
            entries = self._archive.infolist()
        except BROKEN:
            raise UnreadableImage("damaged", f"{shown(name)} is damaged and cannot be opened as a ZIP.") from None
        if len(entries) > ENTRIES:
            raise UnreadableImage("too_complex", f"{shown(name)} holds more than {ENTRIES:,} files; unpack it.")
        pictures = sorted(filter(_is_picture, entries), key=lambda entry: _natural(entry.filename))
        if not pictures:
            raise UnreadableImage("no_pictures", f"{shown(name)} is an archive without pictures.")
        self._pictures = pictures
        self.total = len(pictures)
        self.places: Sequence[str] = [page_place(number) for number in range(1, min(self.total, limits.pages) + 1)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._archive.close()

    def picture(self, place: str, enough: int | None = None) -> LoadedImage:
        """Unpack and decode a picture. Raises UnreadableImage."""
        number = number_of(place)
        if number > self.total:
            raise no_such_place(self._name, place)
        entry = self._pictures[number - 1]
        title = f"{self._name}/{PurePosixPath(entry.filename).name}"
        most = self._limits.picture_mb * MEGABYTE
        try:
            if entry.flag_bits & 1:
                raise UnreadableImage("password", f"{shown(self._name)} needs a password; unpack it.")
            with self._archive.open(entry) as file:
                data = file.read(most + 1)  # whatever size the archive claims
        except BROKEN:
            raise UnreadableImage("damaged", f"{shown(title)} is damaged and cannot be unpacked.") from None
        return decode_picture(data, title, enough, self._incomplete, most=most)

    def is_new(self, picture: LoadedImage) -> bool:
        """Whether a picture differs from those before it; pages always count."""
        return True


def _is_picture(entry: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(entry.filename).parts
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not entry.is_dir() and not hidden and bool(parts) and suffix_of(parts[-1]) in SUFFIXES


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sorts "page2" before "page10"."""
    parts = re.split(r"(\d{1,18})", name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
