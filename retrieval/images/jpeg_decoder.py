"""Decode JPEGs with libjpeg-turbo, whose warnings tell whether all of the picture is there."""

import re

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from retrieval.errors import UnreadableImage
from retrieval.images.jpeg_layout import EOI, JpegLayout
from retrieval.types import Image

COLOURS = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
"""By the mode of Pillow: the name of the colour space in simplejpeg."""
EXTRANEOUS = re.compile(r"(\d+) extraneous bytes before marker")
PADDING = 256
"""Some cameras and editors pad a scan by a few bytes. Zeros in place of a lost part leave many more."""
INCOMPLETE = "incomplete"
"""The reason for which a picture is refused of which a part is missing."""
LOSS = ("corrupt jpeg data", "premature end")


def decode_jpeg(
    data: bytes, layout: JpegLayout, name: str, mode: str, size: tuple[int, int], incomplete: bool
) -> NDArray[np.uint8] | None:
    """The pixels of a JPEG at `size` (its own or 1/2, 1/4, 1/8 of it), with the values of Pillow's `mode`.

    The shape is (H, W, 3 or 4), or (H, W) for greys; `layout` is that of the file.
    None if only Pillow can decode it. Raises UnreadableImage: `truncated` if the file ends too early, `incomplete` if
    a part of the picture is missing although the file has an end; with `incomplete`, such a picture is decoded.
    """
    if mode not in COLOURS:
        return None
    whole, pixels = layout.is_whole, None
    data = layout.corrected(data)
    if not layout.ended:
        data += EOI
    try:
        pixels = _decode(data, mode, size, strict=True)
    except ValueError as error:
        whole = whole and layout.ended and _is_harmless(str(error).lower())
    if not whole and not layout.ended:
        raise UnreadableImage("truncated", f"{name} is cut off; get the complete file.")
    if not whole and not incomplete:
        raise incomplete_picture(name)
    if pixels is None:
        try:
            pixels = _decode(data, mode, size, strict=False)
        except ValueError:
            return None
    if mode == "L":
        return pixels[:, :, 0]
    return 255 - pixels if mode == "CMYK" else pixels  # as Pillow does


def decode_thumbnail(data: bytes, enough: int = 0) -> Image:
    """The pixels (H, W, 3) of a JPEG that Boxfind made, without the checks for files of others, which take more time.

    It is decoded at 1/2, 1/4 or 1/8 of its size if both sides then still have `enough` pixels; 0 means its own size.
    Raises UnreadableImage if it is damaged.
    """
    try:
        return _decode(data, "RGB", (enough, enough), strict=False)
    except ValueError:
        raise UnreadableImage("damaged", "A thumbnail of the index is damaged; rebuild the index.") from None


def incomplete_picture(name: str) -> UnreadableImage:
    return UnreadableImage(INCOMPLETE, f"{name} is incomplete, part of the picture is missing; get the whole file.")


def _decode(data: bytes, mode: str, size: tuple[int, int], strict: bool) -> NDArray[np.uint8]:
    width, height = size
    pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
        data, COLOURS[mode], min_height=height, min_width=width, strict=strict
    )
    return pixels


def _is_harmless(warning: str) -> bool:
    extraneous = EXTRANEOUS.search(warning)
    return int(extraneous[1]) <= PADDING if extraneous else not warning.startswith(LOSS)
