"""Accepted image formats and size limits, checked before any pixel is decoded."""

from dataclasses import dataclass

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for one image: bytes, pixels, sides in pixels, and the ratio of the longer to the shorter side."""

    file_bytes: int = 50_000_000
    pixels: int = 100_000_000
    longest_side: int = 20_000
    shortest_side: int = 8
    aspect: float = 50.0


LIMITS = Limits()
