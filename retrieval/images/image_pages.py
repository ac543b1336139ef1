"""Files of picture formats that hold several pictures: pages of a TIFF, frames of a GIF, WebP, PNG or AVIF."""

import io
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Literal, Self

import numpy as np
from PIL import Image as Pillow

from retrieval.images.chunks import png_chunks, tiff_directories
from retrieval.images.decode import LoadedImage, decode_picture, read_file
from retrieval.images.file_kinds import START, content_format
from retrieval.images.limits import FORMATS, MEGABYTE, TIFF_STARTS, SourceLimits
from retrieval.images.places import frame_place, number_of, page_place
from retrieval.images.resize import resize_image
from retrieval.images.structure import check_structure
from retrieval.images.to_rgb import DECODER_ERRORS
from retrieval.types import Image

COMPOSED_PIXELS = 4_000_000_000
"""Pixels of all frames before the last one that is read; each is composed from those before it."""
MOST_FRAMES = 100_000
"""Pages or frames that are counted."""
SUBFILE_TYPE = 254
REDUCED, MASK = 1, 4
"""Bits of the type of a TIFF's directory: a smaller copy of another page, a mask for it."""
NEAR = 3.0
"""Mean difference of 8-bit values, at a size of 32 x 32, below which two frames show the same."""


class ImagePages:
    """The pages or distinct frames of an image file."""

    def __init__(self, path: Path, name: str, limits: SourceLimits, incomplete: bool = False) -> None:
        """Raises UnreadableImage if the file cannot be read."""
        self._data = read_file(path, limits.picture_mb * MEGABYTE)
        self._name, self._incomplete = name, incomplete
        self._seen: list[Image] = []
        self.places, self.total = image_places(self._data, name, limits)
        self._animated = not self._data.startswith(TIFF_STARTS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._data = b""

    def picture(self, place: str, enough: int | None = None) -> LoadedImage:
        """Decode a page or frame. Raises UnreadableImage."""
        return decode_picture(
            self._data, self._name, enough, self._incomplete, number_of(place) - 1, most=len(self._data)
        )

    def is_new(self, picture: LoadedImage) -> bool:
        """Whether a frame differs from those that were asked about before. A page always does."""
        if not self._animated:
            return True
        small = resize_image(picture.image, 32, 32)
        if any(np.abs(small.astype(np.int16) - seen).mean() < NEAR for seen in self._seen):
            return False
        self._seen.append(small)
        return True


def image_places(data: bytes, name: str, limits: SourceLimits) -> tuple[Sequence[str], int]:
    """The places of a picture file, the first of which is "", and the number of its pages.

    Of an animation, evenly spaced frames. Raises UnreadableImage if the file has too many parts.
    """
    kind = content_format(data[:START])
    if kind == "TIFF":
        pages = _tiff_pages(data, MOST_FRAMES)
        return ["", *map(page_place, pages[1 : limits.pages])], len(pages)
    frames = _frames(data, name, kind) if _may_be_animated(data, kind) else 1
    if frames <= 1 or limits.frames <= 1:
        return [""], 1
    chosen = np.unique(np.linspace(1, frames, min(frames, limits.frames)).round().astype(int)).tolist()
    return ["", *map(frame_place, chosen[1:])], len(chosen)


def _tiff_pages(data: bytes, most: int) -> list[int]:
    """The numbers of the pages, from 1, without smaller copies and masks. The first is always one."""
    return [
        number
        for number, place in enumerate(tiff_directories(data, most), start=1)
        if number == 1 or not _subfile_type(data, place) & (REDUCED | MASK)
    ] or [1]


def _subfile_type(data: bytes, place: int) -> int:
    """The type of a TIFF's directory; 0 for a page. It is its first entry, since entries are sorted."""
    order: Literal["little", "big"] = "little" if data.startswith(b"II") else "big"
    big = data[2:4] in (b"+\0", b"\0+")
    first = place + (8 if big else 2)
    if int.from_bytes(data[first : first + 2], order) != SUBFILE_TYPE:
        return 0
    value = first + (12 if big else 8)
    return int.from_bytes(data[value : value + 4], order)


def _may_be_animated(data: bytes, kind: str) -> bool:
    """Whether a file may hold several frames; quick, since most do not."""
    if kind == "PNG":
        before_pixels = takewhile(lambda chunk: chunk.kind != b"IDAT", png_chunks(data))
        return any(chunk.kind == b"acTL" for chunk in before_pixels)
    if kind == "WEBP":
        return data[12:16] == b"VP8X" and bool(data[20] & 2)
    return kind == "GIF" or (kind == "AVIF" and b"avis" in data[:START])


def _frames(data: bytes, name: str, kind: str) -> int:
    """The number of frames that can be read in a reasonable time; 1 if the file is damaged."""
    check_structure(data, name)
    try:
        with Pillow.open(io.BytesIO(data), formats=FORMATS) as picture:
            most = COMPOSED_PIXELS // max(picture.width * picture.height, 1)
            return min(_gif_frames(data) if kind == "GIF" else int(getattr(picture, "n_frames", 1)), most, MOST_FRAMES)
    except DECODER_ERRORS:
        return 1


def _gif_frames(data: bytes) -> int:
    """Count the frames of a GIF whose data are complete."""
    place = 13 + (6 << (data[10] & 7) if data[10] & 0x80 else 0)
    frames = 0
    while place < len(data) and frames < MOST_FRAMES:
        kind = data[place : place + 1]
        if kind == b"!":
            place += 2
        elif kind == b",":
            flags = data[place + 9]
            place += 11 + (6 << (flags & 7) if flags & 0x80 else 0)
        else:
            break
        while place < len(data) and data[place]:
            place += 1 + data[place]
        place += 1
        frames += kind == b"," and place <= len(data)
    return frames
