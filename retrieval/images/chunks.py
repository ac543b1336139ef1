"""Walk the chunks of PNG and WebP, the boxes of ISO media files such as AVIF, and the pages of TIFF, as decoders do."""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Chunk(NamedTuple):
    """A chunk or box; its content is `data[start:end]`."""

    kind: bytes
    start: int
    end: int


def png_chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks of a PNG, up to IEND."""
    place, kind = 8, b""
    while place + 8 <= len(data) and kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, place)
        yield Chunk(kind, place + 8, min(place + 8 + length, len(data)))
        place += 12 + length


def webp_chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks of a WebP, up to the end of its RIFF container."""
    return riff_chunks(data, 12, min(len(data), 8 + int.from_bytes(data[4:8], "little")))


def riff_chunks(data: bytes, start: int, end: int) -> Iterator[Chunk]:
    """The RIFF chunks between two places."""
    while start + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, start)
        yield Chunk(kind, start + 8, min(start + 8 + length, end))
        start += 8 + length + length % 2


def iso_boxes(data: bytes, start: int, end: int) -> Iterator[Chunk]:
    """The boxes between two places, up to the first one whose length is damaged."""
    while start + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, start)
        header = 16 if length == 1 else 8
        if length == 1:
            length = int.from_bytes(data[start + 8 : min(start + 16, end)], "big")
        length = length or end - start
        if length < header or start + header > end:
            return
        yield Chunk(kind, start + header, min(start + length, end))
        start += length


def tiff_directories(data: bytes, most: int) -> list[int]:
    """The offsets of the directories of a TIFF, one a page, up to `most`. Ends at a damaged or repeated offset."""
    order, big = "<" if data.startswith(b"II") else ">", data[2:4] in (b"+\0", b"\0+")
    pointer, count_type = ("Q", "Q") if big else ("I", "H")
    found: dict[int, None] = {}  # ordered, and quick to look up
    try:
        (place,) = struct.unpack_from(f"{order}{pointer}", data, 8 if big else 4)
        while place and place not in found and len(found) < most:
            (count,) = struct.unpack_from(f"{order}{count_type}", data, place)
            after = place + (8 + 20 * count if big else 2 + 12 * count)
            found[place] = None
            (place,) = struct.unpack_from(f"{order}{pointer}", data, after)
    except (struct.error, OverflowError):  # the file ends before
        pass
    return list(found)


def inside(data: bytes, boxes: Iterable[Chunk], kind: bytes) -> Iterator[Chunk]:
    """The boxes inside all boxes of a kind."""
    for box in boxes:
        if box.kind == kind:
            version = 4 if kind == b"meta" else 0  # its first bytes, before the boxes
            yield from iso_boxes(data, box.start + version, box.end)
