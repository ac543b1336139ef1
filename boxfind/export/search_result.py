"""What a search found, with all that is needed to write it down."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PureWindowsPath

from index.gallery import Gallery
from retrieval.ranking.confidence import no_match
from retrieval.types import Box, Hit, Image


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits of one gallery, best first, and what was asked; nothing here opens a file by itself."""

    title: str
    """What the visitor calls it: any text at all."""
    hits: tuple[Hit, ...]
    gallery: Gallery
    query: Image | None
    """The first query picture, and the box on it."""
    box: Box | None
    link: str = ""
    """An address that restores the search; empty when there is none."""
    made: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When it was found."""

    @property
    def gallery_name(self) -> str:
        """The last folder of the gallery's path: where on this machine it lies is nobody else's business."""
        return PureWindowsPath(self.gallery.manifest.gallery).name or "gallery"  # knows / and \ on every system


def heading(hits: Sequence[Hit]) -> str:
    """What stands above the hits; there must be some."""
    return "Nearest look-alikes" if no_match(hits) else f"The {len(hits)} best" if len(hits) > 1 else "The best"
