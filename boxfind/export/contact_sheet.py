"""The answer as one HTML page to send or print: it needs no network, runs no script and opens in any browser."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from boxfind.export.search_result import SearchResult, heading
from index.gallery import Gallery
from retrieval.errors import IndexProblem
from retrieval.images.resize import crop_image, thumbnail
from retrieval.printable_names import printable, shown
from retrieval.ranking.confidence import MEANINGS, NO_MATCH, VERIFIED, no_match
from retrieval.types import Box, Hit, Image

TEMPLATES = Environment(
    autoescape=True, undefined=StrictUndefined, loader=FileSystemLoader(Path(__file__).parent),
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""The page may fetch and run nothing."""
UNNAMED = "What was found"
QUERY_SIDE = 1024
QUALITY = 85
JPEG_START = b"\xff\xd8"


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG, and boxes to outline on it in pixels of the original; no JPEG where there is no preview."""

    jpeg: bytes
    text: str
    width: int
    height: int
    boxes: Sequence[Box] = ()

    @property
    def base64(self) -> str:
        return b64encode(self.jpeg).decode()


def contact_sheet(answer: SearchResult) -> bytes:
    """An HTML document that holds its pictures and its style. Raises IndexProblem when a hit is not in the gallery."""
    made, web = answer.made.astimezone(UTC), answer.link.lower().startswith(("https://", "http://"))
    page = TEMPLATES.get_template("contact_sheet.html").render(
        policy=POLICY,
        title=shown(answer.title.strip()) or UNNAMED,
        made=f"{made.day} {made:%B %Y, %H:%M} UTC",
        images=answer.gallery.manifest.counts.images,
        gallery=shown(answer.gallery_name),
        query=[] if answer.query is None else _query(answer.query, answer.box),
        heading=heading(answer.hits) if answer.hits else "Nothing was found",
        remark=NO_MATCH if answer.hits and no_match(answer.hits) else "",
        hits=[(shown(hit.image), hit, _hit(answer.gallery, rank, hit)) for rank, hit in enumerate(answer.hits, 1)],
        meanings=MEANINGS,
        verified=VERIFIED,
        link=printable(answer.link) if web else "",
    )
    return page.encode()


def _query(query: Image, box: Box | None) -> list[Picture]:
    """The query picture and what is in its box."""
    height, width = query.shape[:2]
    box = box.clipped(width, height) if box else None
    boxes = [box] if box and box.width > 0 and box.height > 0 else []
    return [
        _shrunk(query, "The query picture", boxes),
        *(_shrunk(crop_image(query, box), "What is in its box") for box in boxes),
    ]


def _shrunk(image: Image, text: str, boxes: Sequence[Box] = ()) -> Picture:
    return Picture(thumbnail(image, QUERY_SIDE, QUALITY), text, image.shape[1], image.shape[0], boxes)


def _hit(gallery: Gallery, rank: int, hit: Hit) -> Picture:
    entry = gallery.entry(hit.image)
    text = f"Rank {rank}: {shown(hit.image)}, {hit.confidence} match{', details agree' if hit.verified else ''}"
    boxes = [region.box for region in (hit.region, *hit.others)]
    return Picture(_preview(gallery, hit.image), text, entry.width, entry.height, boxes)


def _preview(gallery: Gallery, image: str) -> bytes:
    """The JPEG from the index; nothing where the index has been taken away since."""
    try:
        data = gallery.thumbnail(image)
    except IndexProblem:
        return b""
    return data if data.startswith(JPEG_START) else b""
