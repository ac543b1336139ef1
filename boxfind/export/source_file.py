"""The documents and films of a gallery as files: which may be shown in a browser, and under which content type."""

from pathlib import Path

from index.gallery import Gallery
from index.operations.read_original import source_file
from retrieval.errors import PictureGone
from retrieval.images.file_kinds import PDF, START, VIDEO, content_format
from retrieval.printable_names import shown

SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; media-src 'self'; object-src 'self'; style-src 'unsafe-inline'",
}
"""Keeps browsers from taking a file for a page or a script. A browser's viewer of PDF files needs the last two."""


def shown_file(gallery: Gallery, image: str) -> tuple[Path, str]:
    """The path of the document or film that a picture is from, and its content type, which its first bytes tell.

    Pictures are not given out like this, since they hold what the camera has written into them; nor is any file that a
    browser could run, such as HTML, SVG and scripts. Raises UnknownPicture, and PictureGone also for such files.
    """
    path = source_file(gallery, image)
    try:
        with path.open("rb") as file:
            start = file.read(START)
    except OSError:
        start = b""
    kind = content_type(start)
    if not kind:
        raise PictureGone(f"{shown(image)} is not from a film or a PDF file.")
    return path, kind


def content_type(start: bytes) -> str:
    """The content type of a film or PDF by its first bytes; "" for all other files."""
    kind = content_format(start)
    if kind == PDF:
        return "application/pdf"
    if kind != VIDEO:
        return ""
    if start.startswith(b"RIFF"):
        return "video/x-msvideo"
    if start.startswith(b"\x1aE\xdf\xa3"):
        return "video/webm" if b"webm" in start else "video/x-matroska"
    return "video/mp4"
