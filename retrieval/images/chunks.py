"""Walk the chunks of PNG and WebP files and the boxes of ISO media files such as AVIF, as decoders do."""

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


def inside(data: bytes, boxes: Iterable[Chunk], kind: bytes) -> Iterator[Chunk]:
    """The boxes inside all boxes of a kind."""
    for box in boxes:
        if box.kind == kind:
            version = 4 if kind == b"meta" else 0  # its first bytes, before the boxes
            yield from iso_boxes(data, box.start + version, box.end)
