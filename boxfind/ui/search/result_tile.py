"""A hit as a tile: rank, name, confidence, and the picture with the matched region outlined."""

from typing import Literal

from boxfind.ui.original_file import DOWNLOAD
from boxfind.ui.place_words import also_words, entry_in_words, place_label, place_number, place_of
from boxfind.ui.widgets.thumbnail import thumbnail_of
from boxfind.ui.widgets.tile_grid import Action, Tile
from index.gallery import Gallery
from retrieval.ranking.confidence import figure_and_word, meaning
from retrieval.request import Request
from retrieval.types import Confidence, Hit

TONES: dict[Confidence, Literal["good", "fair", "poor"]] = {
    "likely": "good",
    "possible": "fair",
    "uncertain": "poor",
    "unlikely": "poor",
}
ACTIONS = (
    Action("open", "Closer view", "zoom_in", "l"),
    Action("right", "Right: more like this", "thumb_up", "y", toggle=True),
    Action("wrong", "Wrong: less like this", "thumb_down", "n", toggle=True),
    Action("search", "Search with this region", "center_focus_strong", "s"),
    DOWNLOAD,
)

SHOWN_LINES = 2
"""Lines of text shown of a result."""


def hit_tile(
    gallery: Gallery, rank: int, hit: Hit, request: Request, section: str = "", stack: str = "", source: str = ""
) -> Tile:
    """`section`, `stack` and `source` are those of the tile, see Tile."""
    entry = gallery.entry(hit.image)
    name, place = entry_in_words(entry), place_of(entry) if source else ""
    return Tile(
        name=hit.image,
        picture=thumbnail_of(gallery, hit.image),
        size=(entry.width, entry.height),
        alt=described(rank, name, hit),
        title="  ".join(filter(None, [str(rank), f"“{hit.written}”" if hit.written else same_words(hit), name])),
        outlines=(hit.region.box, *(other.box for other in hit.others)),
        badge=("✓ " if hit.verified else "") + figure_and_word(hit),
        tone=TONES[hit.confidence],
        help=meaning(hit),
        pressed=("right",) if hit.image in request.positives else (),
        section=section,
        stack=stack,
        source=source,
        place=place_label(place) if place else "",
        order=place_number(place) if place else 0,
        also=also_words(place, found=not section) if place else ("", ""),
    )


def described(rank: int, name: str, hit: Hit) -> str:
    """The alternative text of a result picture with this name."""
    written = f", written: {hit.written}" if hit.written else ""
    if hit.same_text:
        written = f", the same words: {same_words(hit)}"
    agree, figure = ", details agree" if hit.verified else "", "" if hit.match is None else f", {hit.match} of 100"
    return f"Rank {rank}: {name}, {hit.confidence} match{written}{agree}{figure}"


def same_words(hit: Hit) -> str:
    """The first lines of a picture that share words with the query, in quotation marks; empty without any."""
    return ", ".join(f"“{text}”" for text in list(dict.fromkeys(line.text for line in hit.same_text))[:SHOWN_LINES])
