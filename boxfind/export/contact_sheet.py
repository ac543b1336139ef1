"""The answer as one page to send or print: it needs no network, runs no script and opens in any browser."""

from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC
from html import escape
from pathlib import Path

from boxfind.export.search_result import SearchResult
from index.gallery import Gallery
from retrieval.errors import IndexProblem
from retrieval.images.resize import crop_image, thumbnail
from retrieval.printable_names import printable, shown
from retrieval.ranking.confidence import MEANINGS, NO_MATCH, VERIFIED, no_match
from retrieval.types import Box, Hit, Image

STYLE = Path(__file__).with_suffix(".css")
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a browser may fetch for the page, and run: nothing."""
UNNAMED = "What was found"
QUERY_SIDE = 1024
QUALITY = 85
NARROWEST, WIDEST = 0.5, 3.0
"""Width to height of what a picture of the query stands in; a longer one keeps its own shape in there."""
JPEG_START = b"\xff\xd8"


def contact_sheet(answer: SearchResult) -> bytes:
    """An HTML document that holds its pictures and its style."""
    title = _text(answer.title.strip()) or UNNAMED
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
{_header(answer, title)}
<main>
{_query(answer.query, answer.box) if answer.query is not None else ""}
{_found(answer)}
</main>
{_footer(answer)}
</body>
</html>
""".encode()


def _header(answer: SearchResult, title: str) -> str:
    made = answer.made.astimezone(UTC)
    gallery = f"<bdi>{_text(answer.gallery_name)}</bdi>"
    return f"""<header>
<h1><bdi>{title}</bdi></h1>
<p><time datetime="{made:%Y-%m-%dT%H:%M:%SZ}">{made.day} {made:%B %Y, %H:%M} UTC</time> ·
{answer.gallery.manifest.counts.images:,} pictures searched in the folder {gallery}</p>
</header>"""


def _query(query: Image, box: Box | None) -> str:
    """The query picture and, beside it, what is in its box."""
    height, width = query.shape[:2]
    box = box.clipped(width, height) if box else None
    boxes = [box] if box and box.width > 0 and box.height > 0 else []
    figures = [_query_figure(query, "The query picture", boxes)]
    figures += [_query_figure(crop_image(query, box), "What is in its box", []) for box in boxes]
    return f"""<section aria-labelledby="asked">
<h2 id="asked">Looked for</h2>
<div class="query">
{"".join(figures)}
</div>
</section>"""


def _query_figure(image: Image, caption: str, boxes: Sequence[Box]) -> str:
    height, width = image.shape[:2]
    picture = _picture(thumbnail(image, QUERY_SIDE, QUALITY), caption)
    ratio = min(max(width / height, NARROWEST), WIDEST)
    return f"""<figure style="--ratio: {ratio:.3f}">
<div class="mat">{picture}{_outlines(boxes, width, height)}</div>
<figcaption>{caption}</figcaption>
</figure>
"""


def _found(answer: SearchResult) -> str:
    tiles = "".join(_tile(answer.gallery, rank, hit) for rank, hit in enumerate(answer.hits, start=1))
    return f"""<section aria-labelledby="found">
<h2 id="found">{_heading(answer.hits)}</h2>
{_remark(answer.hits)}
<ol class="hits">
{tiles}</ol>
</section>"""


def _heading(hits: Sequence[Hit]) -> str:
    if not hits:
        return "Nothing was found"
    return "Nearest look-alikes" if no_match(hits) else f"The {len(hits)} best" if len(hits) > 1 else "The best"


def _remark(hits: Sequence[Hit]) -> str:
    return f'<p class="remark">{escape(NO_MATCH)}</p>' if hits and no_match(hits) else ""


def _tile(gallery: Gallery, rank: int, hit: Hit) -> str:
    entry, name = gallery.entry(hit.image), _text(hit.image)
    boxes = [hit.region.box, *(other.box for other in hit.others)]
    agree = ", details agree" if hit.verified else ""
    alternative = f"Rank {rank}: {name}, {hit.confidence} match{agree}"
    preview = _preview(gallery, hit.image)
    shows = (
        _picture(preview, alternative) + _outlines(boxes, entry.width, entry.height)
        if preview
        else "<p>No preview any more</p>"
    )
    verified = ' <span title="details agree">✓</span>' if hit.verified else ""
    return f"""<li><figure>
<div class="mat">{shows}</div>
<figcaption><p class="name"><span class="rank">{rank}</span> <bdi>{name}</bdi></p>
<p class="facts"><span class="badge {hit.confidence}">{hit.confidence}{verified}</span>
<span>{hit.similarity:.2f}</span></p></figcaption>
</figure></li>
"""


def _footer(answer: SearchResult) -> str:
    web = answer.link.lower().startswith(("https://", "http://"))
    again = f'<p><a href="{escape(printable(answer.link))}" rel="noreferrer">Search again</a></p>' if web else ""
    return f"""<footer>
<p>An outline shows the place that matched. The number is its similarity to what was looked for: the cosine of their
descriptors, 1 at most. {" ".join(f"<b>{word.capitalize()}</b>: {text}" for word, text in MEANINGS.items())}
<b>✓</b>: {VERIFIED}</p>
{again}
</footer>"""


def _outlines(boxes: Sequence[Box], width: int, height: int) -> str:
    """A drawing in pixels of the original, to lie over it; all but the first box dashed."""
    if not boxes:
        return ""
    drawn = []
    for number, (x, y, w, h) in enumerate(box.xywh for box in boxes):
        sides = f'x="{x}" y="{y}" width="{w}" height="{h}"'
        dashed = " other" if number else ""
        drawn.append(f'<rect class="halo" {sides}/><rect class="line{dashed}" {sides}/>')
    return f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">{"".join(drawn)}</svg>'


def _preview(gallery: Gallery, image: str) -> bytes:
    """The JPEG from the index; nothing where the index has been taken away since."""
    try:
        data = gallery.thumbnail(image)
    except IndexProblem:
        return b""
    return data if data.startswith(JPEG_START) else b""


def _picture(jpeg: bytes, alternative: str) -> str:
    return f'<img src="data:image/jpeg;base64,{b64encode(jpeg).decode()}" alt="{alternative}">'


def _text(text: str) -> str:
    """Text of unknown origin, on one line and not longer than that."""
    return escape(shown(text))
