"""What worker processes of a DecoderPool do: read files, decode their pictures, read what is written in them."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from index.building.spool import SpoolWriter
from index.storage.keypoint_codec import pack_keypoints
from index.storage.sources import (
    ALWAYS_SEVERAL,
    BY_DEFAULT,
    Reading,
    check_source,
    count_pages,
    embedded_text,
    film_seconds,
    holds_several,
    pictures,
    read_picture,
    source_format,
)
from retrieval.descriptors.embedder import network_size
from retrieval.errors import UnreadableImage
from retrieval.images.decode import LoadedImage, decode_picture, read_file
from retrieval.images.file_kinds import RAW, START, VIDEO, picture_format
from retrieval.images.limits import LIMITS, MEGABYTE, SourceLimits
from retrieval.images.places import picture_sha256
from retrieval.images.resize import crop_image, lossless_png, resize_image, shrink_image, thumbnail
from retrieval.memory_trim import trim_memory
from retrieval.networks.weights import file_sha256
from retrieval.printable_names import shown
from retrieval.ranking.keypoints import GALLERY_SIDE, Keypoints, find_keypoints
from retrieval.regions.tiles import image_tiles
from retrieval.text.written_text import MAX_SIDE, TextReader
from retrieval.types import Image, WrittenLine

ENOUGH = 3
"""A JPEG may be decoded at reduced scale (1/2, 1/4, 1/8), down to this multiple of the network's input side."""
Part = Literal["all", "without keypoints", "keypoints"]
"""What is wanted of a picture. Finding keypoints takes about as long as describing regions."""
ANY_SIZE = SourceLimits(picture_mb=500, document_mb=1_000_000, pages=1_000_000)
"""Limits for files that a build has accepted."""
TIMES_REAL_TIME, MOST_PATIENCE = 5, 1800.0
"""How much faster than it is shown a film is read, at least, and the most seconds without a new picture: a film may
show the same for hours."""


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """Everything a build needs from an image file. `bytes`, `mtime` and `sha256` describe the decoded file."""

    pixels: Image
    """The image at the network's input size."""
    tiles: tuple[Image, ...]
    """Its `image_tiles` at that size."""
    thumbnail: bytes
    keypoints: bytes
    width: int
    height: int
    bytes: int
    mtime: float
    sha256: str
    """What the picture is known by, see picture_sha256."""
    taken: datetime | None
    place: str = ""
    file_sha256: str = ""
    """That of its file if it holds several pictures."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A file whose SHA-256 is already known."""

    bytes: int
    mtime: float
    sha256: str


@dataclass(frozen=True, slots=True)
class Several:
    """A file that holds several pictures."""

    bytes: int
    mtime: float
    sha256: str
    patience: float = 0.0
    """Seconds that the search for its next picture may take, in addition to those of a picture."""
    pages: int = 0
    """The number of pages of a document that are read; 0 for animations and films, which are read in one go."""


@dataclass(frozen=True, slots=True)
class BadPlace:
    """A picture of a file that cannot be read, and why."""

    place: str
    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a build needs of each picture: fields of the recipe, limits, and a part of it."""

    side: int
    keypoints: int = 0
    tiled_from: int = 0
    tiles: int = 1
    stride: int = 32
    reading: Reading = BY_DEFAULT
    part: Part = "all"
    """Pictures of a file that holds several are always wanted as a whole."""


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """The file of a picture as it was indexed."""

    path: Path
    place: str = ""
    bytes: int = 0
    mtime: float = 0.0
    file_sha256: str = ""
    """That of the file if it holds several pictures."""


@dataclass(frozen=True, slots=True)
class ReadText:
    """What is written in a picture, and the SHA-256 that it is known by."""

    sha256: str
    lines: list[WrittenLine]


def decode_bytes(data: bytes, name: str, pixels: int, reading: Reading, place: str) -> "SentOnce":
    if place or picture_format(name, data[:START]) in ALWAYS_SEVERAL:
        with TemporaryDirectory(prefix="boxfind-") as folder:
            file = Path(folder, "upload")
            file.write_bytes(data)
            decoded = read_picture(file, name, place, reading)
    else:
        decoded = decode_picture(data, name, incomplete=reading.incomplete, most=reading.limits.picture_mb * MEGABYTE)
    decoded = replace(decoded, image=shrink_image(decoded.image, pixels))
    trim_memory()  # queries come one at a time
    return SentOnce(decoded)


class SentOnce:
    """A result that is dropped once sent. It is received in a list, to be taken out of it.

    pebble keeps the last result until the next one, in the worker as well as in the program.
    """

    def __init__(self, result: LoadedImage) -> None:
        self._results = [result]

    def __reduce__(self) -> tuple[Any, ...]:
        return list, ([self._results.pop()],)


def decode_file(
    path: Path,
    side: int,
    keypoints: int,
    known: frozenset[str],
    incomplete: bool = False,
    tiled_from: int = 0,
    tiles: int = 1,
    stride: int = 32,
) -> DecodedImage | Unchanged:
    before = size_and_mtime(path)
    data = read_file(path)
    if before != size_and_mtime(path) or before[0] != len(data):
        raise UnreadableImage("changed", f"{shown(path.name)} is still being written; the next build indexes it.")
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 in known:
        return Unchanged(*before, sha256)
    decoded = decode_picture(data, path.name, ENOUGH * side, incomplete)
    return _prepared(decoded, Wanted(side, keypoints, tiled_from, tiles, stride), Several(*before, sha256))


def probe_source(path: Path, wanted: Wanted, known: frozenset[str]) -> DecodedImage | Unchanged | Several:
    """The only picture of a file, or the SHA-256 of a file that holds several."""
    reading, before = wanted.reading, size_and_mtime(path)
    kind, limits = source_format(path), reading.limits
    data = b""
    if kind in ALWAYS_SEVERAL:
        check_source(path, path.name, kind, limits)
        sha256, size = file_sha256(path), before[0]
    else:
        most = LIMITS.raw_bytes if kind == RAW else limits.picture_mb * MEGABYTE
        data = read_file(path, most)
        sha256, size = hashlib.sha256(data).hexdigest(), len(data)
    if before != size_and_mtime(path) or before[0] != size:
        raise UnreadableImage("changed", f"{shown(path.name)} is still being written; the next build indexes it.")
    if sha256 in known:
        return Unchanged(*before, sha256)
    if kind in ALWAYS_SEVERAL or holds_several(data, path.name, limits):
        patience = min(film_seconds(path) / TIMES_REAL_TIME, MOST_PATIENCE) if kind == VIDEO else 0.0
        return Several(*before, sha256, patience, count_pages(path, kind, reading))
    file = Several(*before, sha256)
    decoded = decode_picture(data, path.name, ENOUGH * wanted.side, reading.incomplete, most=most)
    return _prepared(decoded, wanted, file)


def stream_source(folder: Path, path: Path, wanted: Wanted, file: Several, start: int, end: int | None) -> None:
    """Put a DecodedImage or BadPlace into the spool `folder` for each picture of a file, from `start` to `end` - 1."""
    spool = SpoolWriter(folder)
    try:
        for place, picture in pictures(path, wanted.reading, ENOUGH * wanted.side, (start, end), spool.begin):
            if isinstance(picture, UnreadableImage):
                spool.put(BadPlace(place, picture.reason, str(picture)))
            else:
                spool.put(_prepared(picture, wanted, file, place, several=True))
    except MemoryError:
        raise UnreadableImage("too_large", f"{shown(path.name)} needs more memory than is available.") from None
    if size_and_mtime(path) != (file.bytes, file.mtime):
        raise UnreadableImage("changed", f"{shown(path.name)} is still being written; the next build indexes it.")


def _prepared(
    decoded: LoadedImage, wanted: Wanted, file: Several, place: str = "", several: bool = False
) -> DecodedImage:
    """What a build needs of a decoded picture."""
    image, size, side, stride = decoded.image, decoded.size, wanted.side, wanted.stride
    boxes = image_tiles(*size, wanted.tiled_from, wanted.tiles)
    part = "all" if several else wanted.part
    limit, scale = 0 if part == "without keypoints" else wanted.keypoints, wanted.tiles if boxes else 1
    tiles: tuple[Image, ...] = ()
    if part == "keypoints":
        pixels, small = np.zeros((0, 0, 3), np.uint8), b""
    else:
        pixels, small = resize_image(image, *network_size(*size, side, stride)), thumbnail(image)
        sides = [(box, network_size(box.width, box.height, side, stride)) for box in boxes]
        tiles = tuple(resize_image(crop_image(image, box, size), *to) for box, to in sides)
    return DecodedImage(
        pixels,
        tiles,
        small,
        pack_keypoints(_keypoints(image, limit, scale), *image.shape[1::-1]) if limit else b"",
        decoded.width,
        decoded.height,
        file.bytes,
        file.mtime,
        picture_sha256(file.sha256, place),
        decoded.taken,
        place,
        file.sha256 if several else "",
    )


def read_one(path: Path, name: str, place: str, pixels: int, reading: Reading) -> "SentOnce":
    decoded = read_picture(path, name, place, reading)
    decoded = replace(decoded, image=shrink_image(decoded.image, pixels))
    trim_memory()  # queries come one at a time
    return SentOnce(decoded)


def encode_one(path: Path, name: str, place: str, reading: Reading) -> bytes:
    return lossless_png(read_picture(path, name, place, reading).image)


def read_text(file: IndexedFile, incomplete: bool) -> ReadText:
    path, reading = file.path, Reading(ANY_SIZE, incomplete)
    if file.place:
        same = size_and_mtime(path) == (file.bytes, file.mtime)
        sha256 = picture_sha256(file.file_sha256 if same else file_sha256(path), file.place)
        lines = embedded_text(path, path.name, file.place, reading)
        if lines:
            return ReadText(sha256, lines)
        decoded = read_picture(path, path.name, file.place, reading, MAX_SIDE)
    else:
        data = read_file(path, max(LIMITS.raw_bytes, file.bytes))
        sha256 = hashlib.sha256(data).hexdigest()
        decoded = decode_picture(data, path.name, MAX_SIDE, incomplete, most=len(data))
    reader = _text_reader()
    try:
        lines = reader.read(decoded.image)
    except Exception as error:
        raise UnreadableImage("text", f"The text of {shown(path.name)} cannot be read: {error}") from None
    scale = decoded.width / decoded.image.shape[1]
    lines = [replace(line, box=line.box.scaled(scale).clipped(*decoded.size)) for line in lines]
    return ReadText(sha256, lines)


@cache
def _text_reader() -> TextReader:
    """The reader of this worker."""
    return TextReader()


def _keypoints(image: Image, limit: int, scale: int) -> Keypoints:
    """The keypoints of an image with `scale` tiles across: so many times as many, at so many times the side."""
    return find_keypoints(image, scale * GALLERY_SIDE, scale * limit)


def size_and_mtime(path: Path) -> tuple[int, float]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0.0  # read_file reports the error
    return status.st_size, status.st_mtime
