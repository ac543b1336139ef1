"""Draw a search result as one JPEG: the query on top, the ten best matches with their boxes below."""

import io
from collections.abc import Sequence
from functools import cache

from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from boxfind.export.search_result import SearchResult, heading, load_preview
from index.gallery import Gallery
from retrieval.printable_names import shown
from retrieval.ranking.confidence import NO_MATCH, figure_and_word, no_match
from retrieval.types import Box, Hit

TEN, A_ROW = 10, 5
WIDTH, EDGE, GAP = 1200, 24, 16
TILE = (WIDTH - 2 * EDGE - (A_ROW - 1) * GAP) // A_ROW
CAPTION = 62
"""Height in pixels of the two caption lines below a tile."""
QUERY = 2 * TILE + GAP, 340
"""Maximum width and height of the query picture."""
LARGE, NORMAL, SMALL = 30, 20, 18
PAPER, MAT, INK, QUIET, OUTLINE = "#fbfaf8", "#efece7", "#1f1c19", "#655e56", "#ff5a1f"
QUALITY = 88


def result_sheet(answer: SearchResult) -> bytes:
    """Return a JPEG, 1200 pixels wide, without metadata. Raises IndexProblem when a hit is not in the gallery."""
    hits = answer.hits[:TEN]
    top = EDGE + QUERY[1] + GAP
    rows = -(-len(hits) // A_ROW)
    sheet = Pillow.new("RGB", (WIDTH, top + rows * (TILE + CAPTION) + EDGE), PAPER)
    if answer.query is not None:
        picture = Pillow.fromarray(answer.query.image)
        _place(sheet, picture, answer.query.size, [answer.box] if answer.box else [], (EDGE, EDGE, *QUERY))
    _describe(sheet, answer)
    for place, hit in enumerate(hits):
        x, y = EDGE + place % A_ROW * (TILE + GAP), top + place // A_ROW * (TILE + CAPTION)
        _tile(sheet, answer.gallery, place + 1, hit, (x, y))
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=QUALITY, subsampling=0)  # thin red lines stay sharp
    return out.getvalue()


def _describe(sheet: Pillow.Image, answer: SearchResult) -> None:
    """Write the title, the box and the heading beside the query picture."""
    box = "x {}, y {}, {} x {} pixels".format(*answer.box.xywh) if answer.box else "The whole picture"
    best = heading(answer.hits[:TEN]) if answer.hits else "None"
    lines = [box, f"{best} of {answer.gallery.manifest.counts.images:,} pictures"]
    if answer.hits and no_match(answer.hits):
        lines += NO_MATCH.replace("; ", ";\n").splitlines()
    x = EDGE + QUERY[0] + GAP
    pen = ImageDraw.Draw(sheet)
    pen.text((x, EDGE), _fitted(answer.title, LARGE, WIDTH - EDGE - x), INK, _font(LARGE))
    for number, line in enumerate(lines):
        pen.text((x, EDGE + 50 + 34 * number), line, QUIET, _font(NORMAL))


def _tile(sheet: Pillow.Image, gallery: Gallery, rank: int, hit: Hit, corner: tuple[int, int]) -> None:
    x, y = corner
    entry, preview = gallery.entry(hit.image), load_preview(gallery, hit.image)
    boxes = [region.box for region in (hit.region, *hit.others)]
    _place(sheet, preview, (entry.width, entry.height), boxes, (x, y, TILE, TILE))
    pen = ImageDraw.Draw(sheet)
    pen.text((x, y + TILE + 4), _fitted(f"{rank}  {hit.image}", SMALL, TILE), INK, _font(SMALL))
    pen.text((x, y + TILE + 28), f"{figure_and_word(hit)}  {hit.score:.3f}", QUIET, _font(SMALL))


def _place(
    sheet: Pillow.Image,
    picture: Pillow.Image | None,
    size: tuple[int, int],
    boxes: Sequence[Box],
    room: tuple[int, int, int, int],
) -> None:
    """Centre a picture in the area `room` (x, y, w, h) and outline boxes, given in pixels of an original of `size`."""
    x, y, width, height = room
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((x, y, x + width - 1, y + height - 1), MAT)
    if picture is None:
        return
    scale = min(width / size[0], height / size[1])
    across, down = max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)
    x, y = x + (width - across) // 2, y + (height - down) // 2
    sheet.paste(picture.resize((across, down), Pillow.Resampling.BICUBIC), (x, y))
    for box in (box.clipped(*size) for box in boxes):
        left, top = x + int(box.x0 * scale), y + int(box.y0 * scale)
        right = max(x + round(box.x1 * scale) - 1, left)
        bottom = max(y + round(box.y1 * scale) - 1, top)
        pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline="white", width=5)
        pen.rectangle((left, top, right, bottom), outline=OUTLINE, width=3)


def _fitted(text: str, size: int, room: int) -> str:
    """Return the text, shortened in the middle to fit into `room` pixels."""
    text = shown(text)
    kept = len(text) // 2
    fitted = text
    while _font(size).getlength(fitted) > room and kept:
        kept -= 1
        fitted = f"{text[:kept]}…{text[-kept:] if kept else ''}"
    return fitted


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
