"""Export a list of pictures without a search, for example an album, as CSV or JSON."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from boxfind.export.search_result import gallery_name
from boxfind.export.table import csv_bytes, json_bytes
from index.gallery import Gallery
from index.storage.skipped_files import harmless
from index.storage.tables import ImageEntry

COLUMNS = ("image", "width", "height", "bytes", "taken", "modified", "sha256")


@dataclass(frozen=True, slots=True)
class PictureList:
    """Images of a gallery under a title, which is untrusted text."""

    title: str
    images: tuple[str, ...]
    gallery: Gallery
    made: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def gallery_name(self) -> str:
        return gallery_name(self.gallery)


def pictures_csv(pictures: PictureList) -> bytes:
    """Write one row per picture; formulas are neutralised."""
    rows = (_facts(pictures.gallery.entry(image)) for image in pictures.images)
    return csv_bytes(COLUMNS, ((harmless(str(row[0])), *row[1:]) for row in rows))


def pictures_json(pictures: PictureList) -> bytes:
    """Write the title, the gallery and all pictures, with keys in a fixed order."""
    rows = (_facts(pictures.gallery.entry(image)) for image in pictures.images)
    return json_bytes(
        {
            "version": 1,
            "title": pictures.title,
            "made": f"{pictures.made.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "gallery": {"name": pictures.gallery_name, "generation": pictures.gallery.folder.name},
            "pictures": [dict(zip(COLUMNS, row, strict=True)) for row in rows],
        }
    )


def _facts(entry: ImageEntry) -> tuple[str | int, ...]:
    """The values of COLUMNS. `taken` is empty if unknown, and has no time zone."""
    taken = entry.taken.isoformat() if entry.taken else ""
    modified = f"{datetime.fromtimestamp(entry.mtime, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return entry.image, entry.width, entry.height, entry.bytes, taken, modified, entry.sha256
