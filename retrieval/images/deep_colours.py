"""Colours of 10, 12 or 14 bits stored in 16: Pillow keeps their upper bytes only, which are nearly black."""

import io
import re
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from retrieval.images.deep_greys import BITS, EXPANDED, WHITES
from retrieval.images.limits import FORMATS

DARK = 64
"""Upper bytes below this leave two bits or more unused."""
RAW_MODE = re.compile("RGB[AX]?;16[LBN]")
COLOURS = 3
"""The channels but alpha, whose samples may use all bits."""
PLANAR, SEPARATE = 284, 2
"""A TIFF tag, and its value where each colour is stored apart."""
SWAPPED = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
"""Byte orders in the names of Pillow's raw modes: what reads the lower bytes in place of the upper ones."""
ROWS = 256


def raw_mode(picture: Pillow.Image) -> str:
    """Pillow's name of how the samples of a picture are stored, before it is loaded; empty if there is none."""
    tiles = getattr(picture, "tile", None)
    return _raw_mode(tiles[0][3]) if tiles else ""


def has_separate_samples(picture: Pillow.Image) -> bool:
    """Whether an uncompressed TIFF stores the deep samples of each colour apart, which Pillow reads as 8-bit ones."""
    tags, tiles = getattr(picture, "tag_v2", {}), getattr(picture, "tile", None) or []
    uncompressed = any(tile[0] == "raw" for tile in tiles)
    return uncompressed and tags.get(PLANAR) == SEPARATE and max(tags.get(BITS, (1,))) > 8


def use_all_bits(picture: Pillow.Image, raw: str, data: bytes) -> None:
    """Brighten a loaded RGB TIFF in place if its samples (in raw mode `raw`) use 14 bits or less of 16.

    Other formats scale their samples to all bits, and so do TIFFs whose samples are expanded ones of 8 bits.
    """
    if picture.format != "TIFF" or not RAW_MODE.fullmatch(raw) or np.max(picture.getextrema()[:COLOURS]) >= DARK:
        return
    with Pillow.open(io.BytesIO(data), formats=FORMATS) as lower:
        lower.seek(picture.tell())
        swapped = raw[:-1] + SWAPPED[raw[-1]]
        lower.tile = [tile._replace(args=_with_raw_mode(tile.args, swapped)) for tile in lower.tile]
        lower.load()
        bands = [(0, top, picture.width, min(top + ROWS, picture.height)) for top in range(0, picture.height, ROWS)]

        def is_multiple(factor: int) -> bool:
            return not any(np.any(_samples(picture, lower, band)[..., :COLOURS] % factor) for band in bands)

        if any(is_multiple(factor) for factor in EXPANDED):
            return
        most = np.max([_samples(picture, lower, band).max(axis=(0, 1)) for band in bands], axis=0)
        most[:COLOURS] = most[:COLOURS].max()
        whites = np.array(WHITES)[np.searchsorted(WHITES, most)]
        for band in bands:
            values = np.rint(_samples(picture, lower, band) * (255 / whites)).astype(np.uint8)
            picture.paste(Pillow.fromarray(values), band)


def _samples(upper: Pillow.Image, lower: Pillow.Image, band: tuple[int, int, int, int]) -> NDArray[np.uint16]:
    """The 16-bit samples (h, W, 3 or 4) of a band of rows."""
    samples: NDArray[np.uint16] = np.asarray(upper.crop(band)).astype(np.uint16) * 256 + np.asarray(lower.crop(band))
    return samples


def _raw_mode(args: object) -> str:
    return str(args[0] if isinstance(args, tuple) else args)


def _with_raw_mode(args: Any, raw: str) -> Any:
    return (raw, *args[1:]) if isinstance(args, tuple) else raw
