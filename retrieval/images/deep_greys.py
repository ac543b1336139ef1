"""Scale greys of 16 bits, 32 bits and floats to 8 bits. Pillow's own conversion clips instead."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import TiffImagePlugin

Values = NDArray[np.float64]
NO_DATA_GREY = 128
"""Pixels without a value become neutral grey, as transparent ones do."""
WHITES = tuple(2**bits - 1 for bits in (8, 10, 12, 14, 16))
"""Whites of integers in a TIFF: cameras, scanners and microscopes store 10, 12 or 14 bits in 16."""
EXPANDED = (256, 257)
"""Samples of 8 bits become 16 bits by one of these factors; a picture of such samples is dark, not of fewer bits."""
PHOTOMETRIC, SAMPLE_FORMAT, BITS, MOST, NO_DATA = 262, 339, 258, 281, 42113
"""TIFF tags. NO_DATA is that of GDAL, a number as text."""
WHITE_IS_ZERO, BLACK_IS_ZERO, UNSIGNED = 0, 1, 1
SAMPLE = 1_000_000
"""Approximate number of values from which the range of a picture is estimated."""
SHARES = (0.1, 99.9)
"""Percentiles that become black and white where no usual range fits."""
DISTINCT = 16
"""A picture with fewer values is a drawing, of which no value is an outlier."""
RARE, FAR = 0.001, 100
"""A highest value of a larger share of the pixels is saturation, unless it is that many times as far from the others as
these are from each other."""
OPEN_INFO: dict[Any, Any] = TiffImagePlugin.OPEN_INFO
"""Pillow's table of modes, by byte order, photometric interpretation and so on. Pillow lacks the WhiteIsZero entries of
these modes."""
# Pillow reads a TIFF's mode from this table only, and has no argument for it. Only missing entries are added.
OPEN_INFO.setdefault((b"MM", BLACK_IS_ZERO, (UNSIGNED,), 1, (32,), ()), ("I", "I;32BS"))
for (_order, _photometric, *_rest), _modes in list(OPEN_INFO.items()):
    if _photometric == BLACK_IS_ZERO and _modes[0] in ("I", "F", "I;16", "I;16B"):
        OPEN_INFO.setdefault((_order, WHITE_IS_ZERO, *_rest), _modes)


@dataclass(frozen=True, slots=True)
class GreyScale:
    """How the values of a picture become 8-bit greys: `low` black and `high` white, or the other way round."""

    low: float = 0.0
    high: float = 1.0
    inverted: bool = False
    unsigned: bool = False
    """Unsigned 32-bit values, which Pillow reads as signed ones."""
    no_data: float = np.nan

    def values(self, band: Pillow.Image) -> Values:
        """The values of a band (H, W); NaN where a pixel has none."""
        stored = np.asarray(band)
        with np.errstate(invalid="ignore"):  # signalling NaN
            values = (stored.view(np.uint32) if self.unsigned else stored).astype(np.float64)
        values[np.isclose(values, self.no_data, rtol=1e-6, atol=0)] = np.nan
        return values

    def to_rgb(self, band: Pillow.Image) -> Pillow.Image:
        shares = np.clip((self.values(band) - self.low) / max(self.high - self.low, 1e-12), 0, 1)
        greys = np.rint(255 * (1 - shares if self.inverted else shares))
        return Pillow.fromarray(np.nan_to_num(greys, nan=NO_DATA_GREY).astype(np.uint8)).convert("RGB")


def find_grey_scale(picture: Pillow.Image, bands: Iterable[Pillow.Image]) -> GreyScale:
    """The grey scale of a picture in a deep mode, from its TIFF tags and from the values in its bands."""
    scale, white = _described(picture)
    step = max(picture.width * picture.height // SAMPLE, 1)
    values = np.concatenate([_finite(scale.values(band))[::step].copy() for band in bands])  # a view would keep all
    if not len(values):
        return scale
    values = _without_outliers(values)
    low, high = (float(value) for value in np.percentile(values, SHARES))
    whites: tuple[float, ...]
    if picture.mode == "F":
        whites, most = (1, 255) if high > 128 else (1,), high
    else:
        most = float(values.max())
        expanded = any(not np.any(values % factor) for factor in EXPANDED)
        white = max(white, WHITES[-1]) if expanded else white
        whites = (white,) if white >= most else (*WHITES, 2**32 - 1) if most < 2**16 or most >= 2**31 else ()
    usual = next((white for white in whites if low >= 0 and most <= white), None)
    if usual:
        return replace(scale, low=0.0, high=float(usual))
    least, most = float(values.min()), float(values.max())
    near = high - low  # an end that is farther away than this consists of outliers
    return replace(scale, low=least if low - least <= near else low, high=most if most - high <= near else high)


def _described(picture: Pillow.Image) -> tuple[GreyScale, float]:
    """The scale that the TIFF tags of a picture describe, and its white, which is 0 if they do not tell.

    A PNG has no such tags, but its samples always use all bits.
    """
    tags = getattr(picture, "tag_v2", {})
    scale = GreyScale(
        inverted=tags.get(PHOTOMETRIC) == WHITE_IS_ZERO,
        unsigned=picture.mode == "I" and tags.get(BITS) == (32,) and tags.get(SAMPLE_FORMAT, (1,)) == (UNSIGNED,),
    )
    white = 0.0
    with contextlib.suppress(TypeError, ValueError, IndexError):
        scale = replace(scale, no_data=float(str(tags.get(NO_DATA, "nan")).strip(" \0")))
        white = float(np.max(tags.get(MOST, 0)))
    return scale, WHITES[-1] if picture.format == "PNG" else white


def _finite(values: Values) -> Values:
    return values[np.isfinite(values)]


def _without_outliers(values: Values) -> Values:
    """Leave out a lowest or highest value that is farther from the others than these are from each other.

    A lowest value may be that of many pixels (no data), a highest one only if it is absurd.
    """
    for sign in (1, -1, 1, -1):
        distinct, counts = np.unique(sign * values, return_counts=True)
        if len(distinct) > DISTINCT:
            usual_gap = sign > 0 or counts[0] < RARE * len(values)
            if distinct[1] - distinct[0] > (1 if usual_gap else FAR) * (distinct[-1] - distinct[1]):
                values = values[sign * values > distinct[0]]
    return values
