"""Count the parts of a picture file before it is decoded, and refuse a few bytes that would take seconds.

A decoder's time grows with the pixels, which limits.py bounds, and with the number of parts: scans, segments, chunks,
blocks, strips, tiles and items. The bounds are far above what encoders write and keep decoding to a few seconds.
"""

import struct
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import UnreadableImage
from retrieval.images.chunks import Chunk, inside, iso_boxes, png_chunks, tiff_directories, webp_chunks
from retrieval.images.jpeg_layout import FILL, SEGMENTS, SOI, JpegLayout, read_layout
from retrieval.images.limits import LIMITS, TIFF_STARTS

SCANS = 128
"""JPEG scans. Encoders write about 10, optimisers up to 30."""
SCANNED_PIXELS = 25 * LIMITS.pixels
"""Pixels times scans of a JPEG, each of which is decoded for every scan: about 3 s."""
EXIF_SEGMENTS = 64
"""Pillow joins these one by one."""
CHUNKS = 100_000
"""PNG and WebP chunks, GIF blocks, TIFF strips and tiles, AVIF boxes. An animation of 10,000 frames has 20,000."""
COMPRESSED_CHUNKS = 100
"""Compressed texts and profiles of a PNG, each of which unpacks to up to a megabyte."""
SUB_BLOCKS = 200_000
"""Sub-blocks of up to 255 bytes before the first frame of a GIF."""
TAGS = 4_096
"""Tags of a TIFF page."""
RUNS = 8_000_000
"""Bytes of a run-length encoded BMP, which Pillow decodes in Python."""
ITEM_BYTES, FRAME_BYTES = 256 * 1024, 1024**2
"""Bytes of the tables of an AVIF, which its decoder searches in quadratic time. A grid of 1,000 tiles takes 50 kB, and
10,000 frames take 300 kB."""
TIFF_TYPES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value, by the number of its type."""


class _TooMany(Exception):
    """A file has too many parts of a kind, which the argument names."""


def check_structure(data: bytes, name: str, page: int = 0) -> JpegLayout | None:
    """Raise UnreadableImage (`too_complex`) if a file has far more parts than an ordinary picture.

    Of a TIFF, only this page is looked at. Returns the layout of a JPEG, so that its segments are walked once.
    """
    try:
        if page and data.startswith(TIFF_STARTS):
            _tiff_page(data, tiff_directories(data, page + 1)[page])
            return None
        for starts, count in COUNTS:
            if starts(data):
                return count(data)
    except _TooMany as parts:
        raise UnreadableImage(
            "too_complex", f"{name} has too many {parts} to decode; open it in an image editor and save it again."
        ) from None
    except (struct.error, IndexError, KeyError, ValueError):
        pass  # cut off or damaged, which the decoder reports
    return None


def _limit(count: int, most: int, parts: str) -> None:
    if count > most:
        raise _TooMany(parts)


def _jpeg(data: bytes) -> JpegLayout:
    layout = read_layout(data)
    _limit(layout.segments, SEGMENTS, "segments")
    _limit(len(layout.scans), SCANS, "scans")
    _limit(len(layout.scans) * layout.width * layout.height, SCANNED_PIXELS, "scans")
    _limit(layout.exif_segments, EXIF_SEGMENTS, "EXIF segments")
    _limit(layout.fill, FILL, "fill bytes")
    return layout


def _counted(chunks: Iterable[Chunk], most: int, parts: str) -> Iterator[Chunk]:
    for count, chunk in enumerate(chunks, 1):
        _limit(count, most, parts)
        yield chunk


def _png(data: bytes) -> None:
    chunks = _counted(png_chunks(data), CHUNKS, "chunks")
    compressed = (chunk for chunk in chunks if chunk.kind in (b"iCCP", b"zTXt", b"iTXt"))
    for _ in _counted(compressed, COMPRESSED_CHUNKS, "compressed chunks"):
        pass


def _gif(data: bytes) -> None:
    """Count the blocks before the first frame; the later ones are not read."""
    place = 13 + (6 << (data[10] & 7) if data[10] & 0x80 else 0)
    blocks = sub_blocks = 0
    while (kind := data[place : place + 1]) not in (b",", b";", b""):
        place += 1
        blocks += 1
        _limit(blocks, CHUNKS, "blocks")
        if kind == b"!":
            place += 1
            while length := data[place]:
                place += 1 + length
                sub_blocks += 1
                _limit(sub_blocks, SUB_BLOCKS, "blocks")
            place += 1


def _webp(data: bytes) -> None:
    for _ in _counted(webp_chunks(data), CHUNKS, "chunks"):
        pass


def _bmp(data: bytes) -> None:
    compression = int.from_bytes(data[30:34], "little")
    _limit(len(data) if compression in (1, 2) else 0, RUNS, "runs")


def _tiff(data: bytes) -> None:
    order, big = "<" if data.startswith(b"II") else ">", data[2:4] in (b"+\0", b"\0+")
    _tiff_page(data, struct.unpack_from(order + ("8xQ" if big else "4xI"), data)[0])


def _tiff_page(data: bytes, start: int) -> None:
    """Count the tags, strips and tiles of a page, and the scans of its JPEG strips."""
    order, big = "<" if data.startswith(b"II") else ">", data[2:4] in (b"+\0", b"\0+")
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
    _limit(count, TAGS, "tags")
    entry = struct.Struct(order + ("HHQ8s" if big else "HHI4s"))
    table = data[start + (8 if big else 2) :][: count * entry.size]
    entries = [(tag, TIFF_TYPES.get(kind, 1), *rest) for tag, kind, *rest in entry.iter_unpack(table)]
    _limit(sum(size * length for _, size, length, _ in entries), 2 * len(data), "values")
    tags = {tag: rest for tag, *rest in reversed(entries) if rest[1]}  # libtiff uses the first of equal tags

    def values(*codes: int) -> NDArray[np.int64]:
        size, length, value = next((tags[code] for code in codes if code in tags), (4, 0, b""))
        place = struct.unpack(order + ("Q" if big else "I"), value)[0] if size * length > len(value) else None
        where = value[: size * length] if place is None else data[place : place + size * length]
        numbers = np.frombuffer(where[: len(where) // size * size], f"{order}u{size}").astype(np.uint64)
        return np.minimum(numbers, np.uint64(2**32)).astype(np.int64)

    def number(code: int, otherwise: int) -> int:
        found = values(code)
        return max(int(found[0]), 1) if len(found) else otherwise

    width, height = number(256, 1), number(257, 1)
    across = -(-width // number(322, width))
    down = -(-height // number(323, min(number(278, height), height)))
    pieces = across * down * (number(277, 1) if number(284, 1) == 2 else 1)
    listed = max((length for tag, _, length, _ in entries if tag in (273, 324)), default=0)
    _limit(max(pieces, listed), CHUNKS, "strips or tiles")
    _limit(listed, 2 * pieces, "strips or tiles")
    if number(259, 1) in (6, 7):  # JPEG
        offsets, sizes = values(324, 273), values(325, 279)
        if not sizes.any():  # libtiff takes a single strip without a size to reach to the end of the file
            offsets, sizes = offsets[:1], np.array([len(data)])
        _limit(int(sizes.sum()), 2 * len(data), "strips or tiles")
        pairs = zip(offsets.tolist(), sizes.tolist(), strict=False)
        scans = max((data.count(b"\xff\xda", at, at + size) for at, size in pairs), default=0)
        _limit(scans * width * height, SCANNED_PIXELS, "scans")


def _avif(data: bytes) -> None:
    file = _boxes(iso_boxes(data, 0, len(data)))
    _limit(_bytes(file, b"moov"), FRAME_BYTES, "frames")
    meta = _boxes(inside(data, file, b"meta"))
    _limit(_bytes(meta, b"iinf", b"iloc", b"iref"), ITEM_BYTES, "items")
    properties = _boxes(inside(data, meta, b"iprp"))
    _limit(_bytes(properties, b"ipma"), ITEM_BYTES, "items")
    _boxes(inside(data, properties, b"ipco"))


def _boxes(boxes: Iterable[Chunk]) -> list[Chunk]:
    return list(_counted(boxes, CHUNKS // 4, "boxes"))


def _bytes(boxes: list[Chunk], *kinds: bytes) -> int:
    """The total size of all boxes of some kinds."""
    return sum(box.end - box.start for box in boxes if box.kind in kinds)


COUNTS: list[tuple[Callable[[bytes], bool], Callable[[bytes], JpegLayout | None]]] = [
    (lambda data: data.startswith(SOI), _jpeg),
    (lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"), _png),
    (lambda data: data.startswith(b"GIF8"), _gif),
    (lambda data: data[8:12] == b"WEBP", _webp),
    (lambda data: data.startswith(b"BM"), _bmp),
    (lambda data: data.startswith(TIFF_STARTS), _tiff),
    (lambda data: data[4:8] == b"ftyp", _avif),
]
"""How the parts of each format are counted, by the first bytes of its files."""
