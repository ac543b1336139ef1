"""A search result with everything that the export formats need."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PureWindowsPath

from PIL import Image as Pillow

from index.gallery import Gallery
from retrieval.errors import IndexProblem
from retrieval.images.decode import LoadedImage
from retrieval.ranking.confidence import no_match
from retrieval.types import Box, Hit


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits of one gallery, best first, and the query."""

    title: str
    """A title chosen by the user; untrusted text."""
    hits: tuple[Hit, ...]
    gallery: Gallery
    query: LoadedImage | None
    """The first query image; `box` is the box on it."""
    box: Box | None
    link: str = ""
    """A URL that restores the search; empty if there is none."""
    made: datetime = field(default_factory=lambda: datetime.now(UTC))
    """The time of the search."""

    @property
    def gallery_name(self) -> str:
        return gallery_name(self.gallery)


def gallery_name(gallery: Gallery) -> str:
    """The last folder of the gallery path; exports do not reveal the full path."""
    return PureWindowsPath(gallery.manifest.gallery).name or "gallery"  # splits at / and \ on every system


def heading(hits: Sequence[Hit]) -> str:
    """Return the heading above the hits, which must not be empty."""
    return "Nearest look-alikes" if no_match(hits) else f"The {len(hits)} best" if len(hits) > 1 else "The best"


def load_preview(gallery: Gallery, image: str) -> Pillow.Image | None:
    """Load the preview of an image from the index; None if the index is no longer readable."""
    try:
        with Pillow.open(io.BytesIO(gallery.thumbnail(image)), formats=("JPEG",)) as preview:
            return preview.convert("RGB")
    except (IndexProblem, OSError):
        return None
