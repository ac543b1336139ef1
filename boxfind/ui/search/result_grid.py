"""Hits as tiles: rank, name, confidence, similarity, and the picture with the matched region outlined."""

from collections.abc import Callable, Sequence
from typing import Literal

from boxfind.ui.widgets.thumbnail import thumbnail_of
from boxfind.ui.widgets.tile_grid import Action, Tile, tile_grid
from index.gallery import Gallery
from retrieval.ranking.confidence import meaning
from retrieval.request import Request
from retrieval.types import Confidence, Hit

TONES: dict[Confidence, Literal["good", "fair", "poor"]] = {"likely": "good", "possible": "fair", "unlikely": "poor"}
ACTIONS = (
    Action("open", "Look closer", "zoom_in", "l"),
    Action("right", "Right: more like this", "thumb_up", "y", toggle=True),
    Action("wrong", "Wrong: less like this", "thumb_down", "n", toggle=True),
    Action("search", "Search with this region", "center_focus_strong", "s"),
)


def result_grid(
    gallery: Gallery, ranked: Sequence[tuple[int, Hit]], request: Request, on_pick: Callable[[str, str], None]
) -> None:
    """Show (rank, hit) pairs as tiles in the given order. `on_pick` gets the chosen action and image."""
    tiles = [hit_tile(gallery, rank, hit, request) for rank, hit in ranked]
    tile_grid(tiles, ACTIONS, on_pick, key="results", min_width=140, label="Results, best first")


def hit_tile(gallery: Gallery, rank: int, hit: Hit, request: Request) -> Tile:
    entry = gallery.entry(hit.image)
    return Tile(
        name=hit.image,
        picture=thumbnail_of(gallery, hit.image),
        size=(entry.width, entry.height),
        alt=described(rank, hit),
        title=f"{rank}  {hit.image}",
        outlines=(hit.region.box, *(other.box for other in hit.others)),
        badge=("✓ " if hit.verified else "") + hit.confidence,
        tone=TONES[hit.confidence],
        note=f"{hit.similarity:.2f}",
        help=meaning(hit),
        pressed=("right",) if hit.image in request.positives else (),
    )


def described(rank: int, hit: Hit) -> str:
    """The alternative text of a result picture."""
    return f"Rank {rank}: {hit.image}, {hit.confidence} match" + (", details agree" if hit.verified else "")
