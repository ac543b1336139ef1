"""Export a search result as one HTML page to send or print; it contains its pictures and runs no script."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from boxfind.export.picture_list import PictureList
from boxfind.export.search_result import SearchResult, heading
from index.gallery import Gallery
from retrieval.errors import IndexProblem
from retrieval.images.decode import LoadedImage
from retrieval.images.resize import thumbnail
from retrieval.printable_names import printable, shown
from retrieval.ranking.confidence import MEANINGS, NO_MATCH, VERIFIED, figure_and_word, no_match
from retrieval.types import Box, Hit, Image

TEMPLATES = Environment(
    autoescape=True, undefined=StrictUndefined, loader=FileSystemLoader(Path(__file__).parent),
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Content security policy: the page loads nothing and runs no script."""
UNNAMED = "Search result"
QUERY_SIDE = 1024
QUALITY = 85
JPEG_START = b"\xff\xd8"


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG with boxes to outline, in pixels of the original. The JPEG is empty if the preview is unreadable."""

    jpeg: bytes
    text: str
    width: int
    height: int
    boxes: Sequence[Box] = ()

    @property
    def base64(self) -> str:
        return b64encode(self.jpeg).decode()


def contact_sheet(answer: SearchResult) -> bytes:
    """Return a self-contained HTML document. Raises IndexProblem when a hit is not in the gallery."""
    web = answer.link.lower().startswith(("https://", "http://"))
    page = TEMPLATES.get_template("contact_sheet.html").render(
        _heading(answer),
        facts=f"{answer.gallery.manifest.counts.images:,} pictures searched",
        query=[] if answer.query is None else _query(answer.query, answer.box),
        heading=heading(answer.hits) if answer.hits else "Nothing was found",
        remark=NO_MATCH if answer.hits and no_match(answer.hits) else "",
        hits=[(shown(hit.image), hit, _hit(answer.gallery, rank, hit)) for rank, hit in enumerate(answer.hits, 1)],
        badge=figure_and_word,
        meanings=MEANINGS,
        verified=VERIFIED,
        link=printable(answer.link) if web else "",
    )
    return page.encode()


def picture_sheet(pictures: PictureList) -> bytes:
    """Return a self-contained HTML document with pictures that are not results of a search."""
    gallery, count = pictures.gallery, len(pictures.images)
    whole = [(image, gallery.entry(image)) for image in pictures.images]
    page = TEMPLATES.get_template("contact_sheet.html").render(
        _heading(pictures),
        facts="1 picture" if count == 1 else f"{count:,} pictures",
        query=[],
        heading="Pictures",
        remark="",
        hits=[
            (shown(image), None, Picture(_preview(gallery, image), shown(image), entry.width, entry.height))
            for image, entry in whole
        ],
        meanings={},
        link="",
    )
    return page.encode()


def _heading(exported: SearchResult | PictureList) -> dict[str, str]:
    """The parts of the page that every sheet has."""
    made = exported.made.astimezone(UTC)
    return {
        "policy": POLICY,
        "title": shown(exported.title.strip()) or UNNAMED,
        "made": f"{made.day} {made:%B %Y, %H:%M} UTC",
        "gallery": shown(exported.gallery_name),
    }


def _query(query: LoadedImage, box: Box | None) -> list[Picture]:
    """Return the query picture and, if the box overlaps it, the crop of the box."""
    box = box.clipped(*query.size) if box else None
    boxes = [box] if box and box.width > 0 and box.height > 0 else []
    crops = [Picture(_query_jpeg(query.crop(box)), "The object in the box", *box.xywh[2:]) for box in boxes]
    return [Picture(_query_jpeg(query.image), "The query picture", *query.size, boxes), *crops]


def _query_jpeg(image: Image) -> bytes:
    return thumbnail(image, QUERY_SIDE, QUALITY)


def _hit(gallery: Gallery, rank: int, hit: Hit) -> Picture:
    entry = gallery.entry(hit.image)
    text = f"Rank {rank}: {shown(hit.image)}, {hit.confidence} match{', details agree' if hit.verified else ''}"
    boxes = [region.box for region in (hit.region, *hit.others)]
    return Picture(_preview(gallery, hit.image), text, entry.width, entry.height, boxes)


def _preview(gallery: Gallery, image: str) -> bytes:
    """Return the JPEG from the index; empty if the index is no longer readable."""
    try:
        data = gallery.thumbnail(image)
    except IndexProblem:
        return b""
    return data if data.startswith(JPEG_START) else b""
