"""Read the raw files of cameras with LibRaw: the preview that the camera made, or a quick development of half size."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from PIL import ExifTags
from PIL import Image as Pillow

from retrieval.images.date_taken import EARLIEST
from retrieval.types import Image

if TYPE_CHECKING:  # imported when a raw file comes
    from rawpy import RawPy

FULL = 0.45
"""A preview whose longest side is at least this share of the raw picture's is as good as a half-size development."""
ORIENTATIONS = {0: 1, 3: 3, 5: 8, 6: 6}
"""LibRaw's code of how the camera was turned -> EXIF orientation."""


@dataclass(frozen=True, slots=True)
class RawPicture:
    """What a raw file gives: a JPEG preview, or developed pixels that are upright."""

    preview: bytes | None
    pixels: Image | None
    orientation: int
    """The EXIF orientation of the preview, if its JPEG does not give one; 1 if it does."""
    taken: datetime | None


def decode_raw(data: bytes, check_size: Callable[[int, int], None]) -> RawPicture:
    """Raises ValueError if LibRaw cannot read the file, and what `check_size` raises."""
    import rawpy

    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            sizes = raw.sizes
            check_size(sizes.width, sizes.height)
            taken, orientation = _taken(raw), ORIENTATIONS.get(sizes.flip, 1)
            preview = _preview(raw, max(sizes.width, sizes.height))
            if preview is not None:
                return RawPicture(preview, None, 1 if _says_orientation(preview) else orientation, taken)
            pixels = raw.postprocess(half_size=True, use_camera_wb=True, output_bps=8)
            return RawPicture(None, np.ascontiguousarray(pixels), 1, taken)
    except rawpy.LibRawError as error:
        raise ValueError(str(error)) from None


def _preview(raw: "RawPy", longest: int) -> bytes | None:
    """The JPEG preview, if there is one that is large enough."""
    import rawpy

    try:
        found = raw.extract_thumb()
        if found.format != rawpy.ThumbFormat.JPEG:
            return None
        data = bytes(found.data)
        with Pillow.open(io.BytesIO(data), formats=["JPEG"]) as preview:
            return data if max(preview.size) >= FULL * longest else None
    except (rawpy.LibRawError, OSError, SyntaxError, ValueError):
        return None


def _says_orientation(preview: bytes) -> bool:
    with Pillow.open(io.BytesIO(preview), formats=["JPEG"]) as picture:
        return ExifTags.Base.Orientation in picture.getexif()


def _taken(raw: "RawPy") -> datetime | None:
    taken: datetime = raw.other.timestamp
    return taken.replace(tzinfo=None) if taken.year > max(EARLIEST, 1970) else None
