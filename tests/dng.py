"""Write small raw files (DNG): a Bayer mosaic, with or without the JPEG preview of a camera."""

import io
import struct

import numpy as np
from PIL import Image as Pillow

from retrieval.types import Image

BYTE, ASCII, SHORT, LONG, RATIONAL, SRATIONAL = 1, 2, 3, 4, 5, 10
SIZES = {BYTE: 1, ASCII: 1, SHORT: 2, LONG: 4, RATIONAL: 8, SRATIONAL: 8}
FORMATS = {BYTE: "B", ASCII: "B", SHORT: "H", LONG: "I", RATIONAL: "II", SRATIONAL: "ii"}
Tag = tuple[int, int, list[int]]


def dng(image: Image, preview: Image | None = None, orientation: int = 1) -> bytes:
    """A DNG of an image (H, W, 3), both even. `preview` is another one, so that tests can tell them apart."""
    height, width = image.shape[:2]
    linear = (65535 * (image / 255.0) ** 2.2).astype(np.uint16)
    mosaic = np.empty((height, width), "<u2")
    for y, x, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        mosaic[y::2, x::2] = linear[y::2, x::2, channel]
    raw: list[Tag] = [
        (254, LONG, [0]),
        (256, LONG, [width]),
        (257, LONG, [height]),
        (258, SHORT, [16]),
        (259, SHORT, [1]),
        (262, SHORT, [32803]),
        (273, LONG, [-1]),
        (277, SHORT, [1]),
        (278, LONG, [height]),
        (279, LONG, [mosaic.nbytes]),
        (33421, SHORT, [2, 2]),
        (33422, BYTE, [0, 1, 1, 2]),
        (50717, LONG, [65535]),
    ]
    camera: list[Tag] = [
        (271, ASCII, list(b"Boxfind\0")),
        (272, ASCII, list(b"Test\0")),
        (274, SHORT, [orientation]),
        (50706, BYTE, [1, 4, 0, 0]),
        (50708, ASCII, list(b"Boxfind Test\0")),
        (50721, SRATIONAL, [n for row in range(3) for column in range(3) for n in (int(row == column), 1)]),
        (50728, RATIONAL, [1, 1, 1, 1, 1, 1]),
    ]
    if preview is None:
        return _tiff([(sorted([*raw, *camera]), mosaic.tobytes())])
    out = io.BytesIO()
    Pillow.fromarray(preview).save(out, "JPEG", quality=95)
    jpeg = out.getvalue()
    first: list[Tag] = [
        (254, LONG, [1]),
        (256, LONG, [preview.shape[1]]),
        (257, LONG, [preview.shape[0]]),
        (258, SHORT, [8, 8, 8]),
        (259, SHORT, [7]),
        (262, SHORT, [6]),
        (273, LONG, [-1]),
        (277, SHORT, [3]),
        (278, LONG, [preview.shape[0]]),
        (279, LONG, [len(jpeg)]),
        (330, LONG, [-2]),
    ]
    return _tiff([(sorted([*first, *camera]), jpeg), (raw, mosaic.tobytes())])


def _tiff(directories: list[tuple[list[Tag], bytes]]) -> bytes:
    """Little-endian; -1 stands for the place of the data of a directory, -2 for the second directory."""
    starts, place = [], 8
    for tags, data in directories:
        starts.append(place)
        place += 6 + 12 * len(tags) + sum(_outside(tag) for tag in tags) + len(data)
    out = struct.pack("<2sHI", b"II", 42, 8)
    for (tags, data), start in zip(directories, starts, strict=True):
        values_at = start + 6 + 12 * len(tags)
        data_at = values_at + sum(map(_outside, tags))
        entries, values = b"", b""
        for code, kind, numbers in tags:
            known = {-1: data_at, -2: starts[-1]}
            written = struct.pack(
                f"<{FORMATS[kind] * (len(numbers) // len(FORMATS[kind]))}", *(known.get(n, n) for n in numbers)
            )
            count = len(numbers) // len(FORMATS[kind])
            if len(written) > 4:
                entries += struct.pack("<HHII", code, kind, count, values_at + len(values))
                values += written + bytes(len(written) % 2)
            else:
                entries += struct.pack("<HHI", code, kind, count) + written.ljust(4, b"\0")
        out += struct.pack("<H", len(tags)) + entries + bytes(4) + values + data
    return out


def _outside(tag: Tag) -> int:
    """Bytes of a tag's values outside its entry."""
    _, kind, numbers = tag
    size = SIZES[kind] * len(numbers) // len(FORMATS[kind])
    return size + size % 2 if size > 4 else 0
