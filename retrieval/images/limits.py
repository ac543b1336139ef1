"""The image formats and sizes that are accepted. They are checked before pixels are decoded."""

from dataclasses import dataclass

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""Formats that Pillow reads without another package, and that are tried when the first bytes do not tell the format."""
RAW_SUFFIXES = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq", ".k25", ".kdc", ".mef"),
    *(".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
)
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jif", ".jfif", ".mpo"),
    *(".png", ".apng", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".avifs"),
    *(".heic", ".heics", ".hif", ".heif", ".heifs"),
    *(".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".jxl"),
    *RAW_SUFFIXES,
)
"""Suffixes of pictures. MPO is a JPEG followed by further pictures of the same scene."""
DOCUMENT_SUFFIXES = (".pdf", ".cbz", ".zip")
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
SOURCE_SUFFIXES = SUFFIXES + DOCUMENT_SUFFIXES + VIDEO_SUFFIXES
"""Suffixes of all files that hold one picture or several."""
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True, slots=True)
class Limits:
    """Size limits of one image."""

    file_bytes: int = 50_000_000
    raw_bytes: int = 300_000_000  # of a camera's raw file
    pixels: int = 100_000_000
    longest_side: int = 20_000  # pixels
    shortest_side: int = 8  # pixels
    aspect: float = 50.0  # longer to shorter side


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """Limits of files that people may change. Videos may have any size: they are never read whole."""

    picture_mb: int = 50
    document_mb: int = 500
    pages: int = 2_000
    """Pages of a document or an archive."""
    frames: int = 20
    """Frames of an animation, evenly spaced."""


SOURCE_LIMITS = SourceLimits()
MEGABYTE = 10**6


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """Limits of one video and of the pictures taken from it."""

    pixels: int = 36_000_000
    """Of a frame; 8K has 33 million."""
    pictures: int = 2000
    """Of a video. A longer one gets fewer a minute."""
    a_minute: int = 20
    """Most pictures a minute."""
    burst: int = 4
    """Pictures that may follow each other at once."""
    seconds: float = 900_000.0
    """Frames after this time are left out."""
    longest_gap: float = 10.0
    """Seconds of a shot after which another picture of it is due."""
    decoded_pixels: float = 3e11
    """Of all frames of a video. Beyond it, only key frames are decoded, up to the same number again."""
    packets: int = 20_000_000
    """Compressed frames read of a video: about four days."""
    errors: int = 300
    """Parts of a video that cannot be read; then the rest is left."""
    group_bytes: int = 64_000_000
    group_frames: int = 1000
    """Compressed frames held at once."""


VIDEO = VideoLimits()
