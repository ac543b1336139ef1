"""A hit as a tile: rank, name, confidence, and the picture with the matched region outlined."""

from typing import Literal

from boxfind.ui.original_file import DOWNLOAD
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


def hit_tile(gallery: Gallery, rank: int, hit: Hit, request: Request, section: str = "", stack: str = "") -> Tile:
    """`section` and `stack` are those of the tile, see Tile."""
    entry = gallery.entry(hit.image)
    return Tile(
        name=hit.image,
        picture=thumbnail_of(gallery, hit.image),
        size=(entry.width, entry.height),
        alt=described(rank, hit),
        title=f"{rank}  {hit.image}",
        outlines=(hit.region.box, *(other.box for other in hit.others)),
        badge=("✓ " if hit.verified else "") + figure_and_word(hit),
        tone=TONES[hit.confidence],
        help=meaning(hit),
        pressed=("right",) if hit.image in request.positives else (),
        section=section,
        stack=stack,
    )


def described(rank: int, hit: Hit) -> str:
    """The alternative text of a result picture."""
    figure = "" if hit.match is None else f", {hit.match} of 100"
    return f"Rank {rank}: {hit.image}, {hit.confidence} match{', details agree' if hit.verified else ''}{figure}"
