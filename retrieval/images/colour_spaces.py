"""Colour spaces that a file describes by numbers instead of an ICC profile, and their conversion to sRGB."""

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from retrieval.images.chunks import inside, iso_boxes, png_chunks

Floats = NDArray[np.floating]
Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""x and y of white, red, green and blue, in the order of PNG's cHRM."""
D65 = (0.3127, 0.3290)
BT709: Chromaticities = (*D65, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060)
PRIMARIES: dict[int, Chromaticities] = {
    1: BT709,
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),  # BT.470 M
    5: (*D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),  # BT.470 BG
    6: (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),  # BT.601
    7: (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),  # SMPTE 240M
    9: (*D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),  # BT.2020
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # DCI P3
    12: (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # Display P3
}
"""By the numbers of ITU-T H.273."""
REFERENCE_WHITE = 203.0
"""Luminance in cd/m² that HDR gives to white paper (BT.2408); what is brighter is clipped."""


def _srgb(signal: Floats) -> Floats:
    linear: Floats = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    return linear


def _pq(signal: Floats) -> Floats:
    """SMPTE ST 2084."""
    root = signal ** (32 / 2523)
    linear: Floats = np.maximum(root - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * root)
    return linear ** (8192 / 1305) * (10_000 / REFERENCE_WHITE)


def _hlg(signal: Floats) -> Floats:
    """ARIB STD-B67, shown at 1,000 cd/m²; its system gamma is applied to each channel."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return scene**1.2 * (1000 / REFERENCE_WHITE)


def _power(exponent: float) -> Callable[[Floats], Floats]:
    return lambda signal: signal**exponent


TRANSFERS: dict[int, Callable[[Floats], Floats]] = {
    4: _power(2.2),
    5: _power(2.8),
    8: _power(1.0),
    16: _pq,
    18: _hlg,
    **dict.fromkeys((1, 2, 6, 7, 13, 14, 15), _srgb),  # cameras and viewers treat these curves alike
}
"""By the numbers of ITU-T H.273: from a signal of 0 to 1 to linear light, where 1 is white."""


@dataclass(frozen=True, slots=True)
class ColourSpace:
    """Primaries, and the curve from a signal of 0 to 1 to linear light."""

    primaries: Chromaticities
    to_linear: Callable[[Floats], Floats]

    def to_srgb(self) -> Callable[[Pillow.Image], Pillow.Image] | None:
        """A function that converts pictures to sRGB; None if they are sRGB already.

        Raises ArithmeticError or numpy.linalg.LinAlgError if the primaries are impossible.
        """
        steps = np.linspace(0, 1, 256, dtype=np.float32)
        linear = self.to_linear(steps)
        matrix = (np.linalg.inv(_to_xyz(BT709)) @ _to_xyz(self.primaries)).astype(np.float32)
        matrix /= matrix.sum(axis=1, keepdims=True)  # white stays white
        if np.abs(matrix - np.eye(3)).max() < 0.02 and np.abs(_encode(linear).astype(int) - 255 * steps).max() < 3:
            return None

        def convert(picture: Pillow.Image) -> Pillow.Image:
            return Pillow.fromarray(_encode(linear[np.asarray(picture.convert("RGB"))] @ matrix.T))

        return convert


def _to_xyz(primaries: Chromaticities) -> NDArray[np.float64]:
    """The matrix (3, 3) from linear RGB to XYZ."""
    white, *colours = ((x / y, 1.0, (1 - x - y) / y) for x, y in zip(primaries[::2], primaries[1::2], strict=True))
    columns = np.array(colours, np.float64).T
    return columns * np.linalg.solve(columns, np.array(white))


SIGNALS = np.linspace(0, 1, 2**14, dtype=np.float32)
ENCODED = np.rint(255 * np.interp(SIGNALS, _srgb(SIGNALS), SIGNALS)).astype(np.uint8)
"""The sRGB value of linear light, in 16,384 steps."""


def _encode(linear: Floats) -> NDArray[np.uint8]:
    return ENCODED[np.rint(np.clip(linear, 0, 1) * (len(ENCODED) - 1)).astype(np.uint16)]


def described_space(picture: Pillow.Image, data: bytes) -> ColourSpace | None:
    """The colour space that a PNG, AVIF or HEIC describes by numbers: cICP, gAMA and cHRM, or nclx.

    None if there is none, or if an ICC profile goes before it.
    """
    profile = "icc_profile" in picture.info
    code = _png_code(data) if picture.format == "PNG" else None
    if picture.format in ("AVIF", "HEIF") and not profile:
        code = _avif_code(data)
    if code is not None:
        primaries, transfer = code
        known = primaries in (2, *PRIMARIES) and transfer in TRANSFERS
        return ColourSpace(PRIMARIES.get(primaries, BT709), TRANSFERS[transfer]) if known else None
    if picture.format != "PNG" or profile or "srgb" in picture.info:
        return None
    gamma = picture.info.get("gamma", 0)
    if not 0.1 < gamma < 10:
        return None
    curve = _srgb if abs(gamma * 2.2 - 1) < 0.05 else _power(1 / gamma)
    return ColourSpace(picture.info.get("chromaticity", BT709), curve)


def _png_code(data: bytes) -> tuple[int, int] | None:
    for kind, start, end in png_chunks(data):
        if kind == b"cICP" and end - start == 4:
            return data[start], data[start + 1]
        if kind == b"IDAT":
            break
    return None


def _avif_code(data: bytes) -> tuple[int, int] | None:
    boxes = iso_boxes(data, 0, len(data))
    for outer in (b"meta", b"iprp", b"ipco"):
        boxes = inside(data, boxes, outer)
    for kind, start, end in boxes:
        if kind == b"colr" and data[start : start + 4] == b"nclx" and end - start >= 8:
            primaries, transfer = struct.unpack_from(">HH", data, start + 4)
            return primaries, transfer
    return None
