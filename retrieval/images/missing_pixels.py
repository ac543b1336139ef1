"""Find pictures whose data end too early, which most decoders accept without an error."""

import os
from collections.abc import Iterator

import numpy as np
from PIL import Image as Pillow
from PIL import ImageFile

from retrieval.images.chunks import Chunk, iso_boxes, riff_chunks, webp_chunks

ROWS = 2
"""The last rows: an interlaced picture begins with one of them and ends with the other."""
NOISE = os.urandom(400_000)
BITS = 64
"""Narrower pictures with one bit a pixel are not checked: they might equal the noise by chance."""
ZEROS, PIXELS_PER_ZERO = 512, 16
"""Zero bytes at the end of compressed data that stand for a part that was never written, as after a broken download. In
a lossy WebP, a plain area is stored as one zero for 18 or more pixels."""


def load_all(picture: Pillow.Image) -> bool:
    """`picture.load()`; False if that leaves one of the last rows unwritten.

    The rows hold noise before they are decoded. If it is still there afterwards, the data have ended too early.
    """
    if (
        not isinstance(picture, ImageFile.ImageFile)
        or not picture.tile
        or (picture.mode == "1" and picture.width < BITS)
    ):
        picture.load()
        return True
    prepare, end = picture.load_prepare, picture.load_end
    extents = np.array([tile[1] for tile in picture.tile])
    left, right, bottom = int(extents[:, 0].min()), int(extents[:, 2].max()), int(extents[:, 3].max())
    rows = [(left, row, right, row + 1) for row in range(max(bottom - ROWS, 0), bottom)]
    noise: list[bytes] = []
    unwritten: list[bool] = []

    def prepare_with_noise() -> None:
        prepare()
        for row in rows:
            strip = Pillow.new(picture.im.mode, (right - left, 1))
            noise.append(NOISE[len(noise) :][: len(strip.tobytes())])
            strip.frombytes(noise[-1])
            picture.im.paste(strip.im, row)

    def compare_with_noise() -> None:  # before a picture is cropped or turned
        unwritten.extend(picture.crop(row).tobytes() == was for row, was in zip(rows, noise, strict=True))
        for row, missing in zip(rows, unwritten, strict=True):
            if missing:
                picture.im.paste(Pillow.new(picture.im.mode, (right - left, 1)).im, row)
        end()

    vars(picture).update(load_prepare=prepare_with_noise, load_end=compare_with_noise)
    try:
        picture.load()
    finally:  # these functions refer to the picture, which would stay in memory until the next garbage collection
        del picture.load_prepare, picture.load_end
    return not any(unwritten)


def ends_in_zeros(data: bytes, picture: Pillow.Image) -> bool:
    """Whether the compressed pixels of a lossy WebP or an AVIF end in zeros. Those of a lossless WebP may do so."""
    zeros = ZEROS
    if picture.format == "WEBP":
        zeros = max(zeros, picture.width * picture.height // PIXELS_PER_ZERO)
        first = next(_webp_pixels(data), None)
    elif picture.format == "AVIF":
        first = next((box for box in iso_boxes(data, 0, len(data)) if box.kind == b"mdat"), None)
    else:
        return False
    return first is not None and first.kind != b"VP8L" and data[first.start : first.end].endswith(bytes(zeros))


def _webp_pixels(data: bytes) -> Iterator[Chunk]:
    """The compressed pixels of a picture, or of each frame of an animation."""
    for chunk in webp_chunks(data):
        parts = riff_chunks(data, chunk.start + 16, chunk.end) if chunk.kind == b"ANMF" else iter([chunk])
        yield from (part for part in parts if part.kind in (b"VP8 ", b"VP8L"))
