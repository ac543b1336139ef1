"""The image formats and sizes that are accepted. They are checked before pixels are decoded."""

from dataclasses import dataclass

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jif", ".jfif", ".mpo"),
    *(".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"),
)
"""Suffixes of pictures that are read. MPO is a JPEG followed by further pictures."""
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True, slots=True)
class Limits:
    """Size limits of one image."""

    file_bytes: int = 50_000_000
    pixels: int = 100_000_000
    longest_side: int = 20_000  # pixels
    shortest_side: int = 8  # pixels
    aspect: float = 50.0  # longer to shorter side


LIMITS = Limits()
