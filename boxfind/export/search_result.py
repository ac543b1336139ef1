"""A search result with everything that the export formats need."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PureWindowsPath

from PIL import Image as Pillow

from index.gallery import Gallery
from retrieval.errors import IndexProblem, PictureGone, UnreadableImage
from retrieval.images.decode import read_file
from retrieval.printable_names import shown
from retrieval.ranking.confidence import no_match
from retrieval.types import Box, Hit, Image


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits of one gallery, best first, and the query."""

    title: str
    """A title chosen by the user; untrusted text."""
    hits: tuple[Hit, ...]
    gallery: Gallery
    query: Image | None
    """The first query image; `box` is the box on it."""
    box: Box | None
    link: str = ""
    """A URL that restores the search; empty if there is none."""
    made: datetime = field(default_factory=lambda: datetime.now(UTC))
    """The time of the search."""

    @property
    def gallery_name(self) -> str:
        """The last folder of the gallery path; exports do not reveal the full path."""
        return PureWindowsPath(self.gallery.manifest.gallery).name or "gallery"  # splits at / and \ on every system


def heading(hits: Sequence[Hit]) -> str:
    """Return the heading above the hits, which must not be empty."""
    return "Nearest look-alikes" if no_match(hits) else f"The {len(hits)} best" if len(hits) > 1 else "The best"


def read_original(gallery: Gallery, image: str) -> bytes:
    """Read the file of a gallery image.

    Raises PictureGone when it is missing or has changed since it was indexed, because boxes no longer apply to it.
    """
    entry = gallery.entry(image)
    try:
        data = read_file(gallery.file(image))
    except UnreadableImage:  # its message contains the folder
        raise PictureGone(f"{shown(image)} cannot be opened any more; restore the file or update the index.") from None
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise PictureGone(f"{shown(image)} has changed since it was indexed; update the index.")
    return data


def load_preview(gallery: Gallery, image: str) -> Pillow.Image | None:
    """Load the preview of an image from the index; None if the index is no longer readable."""
    try:
        with Pillow.open(io.BytesIO(gallery.thumbnail(image)), formats=("JPEG",)) as preview:
            return preview.convert("RGB")
    except (IndexProblem, OSError):
        return None
