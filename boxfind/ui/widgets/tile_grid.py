"""Pictures as a grid of tiles that is one element for the browser, however many tiles there are."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from boxfind.ui.widgets.colours import COLOURS
from retrieval.types import Box

HERE = Path(__file__).parent
GRID = st.components.v2.component(
    "boxfind_tile_grid",
    html='<ul role="list"></ul>',
    css=(HERE / "tile_grid.css").read_text(encoding="utf-8"),
    js=(HERE / "tile_grid.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture in the grid. All text is plain text, whatever characters are in it."""

    name: str
    """What is picked, for example an image id; no two tiles of a grid have the same."""
    picture: bytes
    """A JPEG; the browser gets it anew with every change, so a thumbnail will do."""
    size: tuple[int, int]
    """Width and height of the original, in whose pixels outlines are."""
    alt: str
    title: str
    """The line under the picture; what does not fit is left out of its middle."""
    outlines: tuple[Box, ...] = ()
    """The first in the main colour, the second and third in one of their own."""
    badge: str = ""
    tone: Literal["good", "fair", "poor", ""] = ""
    """The colour of the badge."""
    note: str = ""
    """Stands after the badge."""
    help: str = ""
    """What badge and note mean, in a sentence."""
    pressed: tuple[str, ...] = ()
    """Names of the toggles that are on."""


@dataclass(frozen=True, slots=True)
class Action:
    """What can be done with a tile. The first of a grid is what a click on the picture does."""

    name: str
    label: str
    icon: str
    """A name of the Material Symbols, as in `:material/thumb_up:`."""
    shortcut: str = ""
    """A letter that does it while the tile has the focus."""
    toggle: bool = False


def tile_grid(
    tiles: Sequence[Tile],
    actions: Sequence[Action],
    on_pick: Callable[[str, str], None],
    key: str,
    min_width: int = 170,
    label: str = "Pictures",
) -> None:
    """Shows the tiles, in columns at least `min_width` pixels wide; `label` names the grid to those who cannot see it.

    `on_pick` is called with the name of an action and of a tile, before the page runs again. What comes from a browser
    is not trusted: only names of the tiles and actions that were shown get through. `key` may hold no two underscores
    in a row.
    """
    names = {tile.name for tile in tiles}
    offered = {action.name for action in actions}
    assert len(names) == len(tiles), "two tiles have the same name"

    def picked() -> None:
        choice = picked_in(st.session_state.get(key), offered, names)
        if choice is not None:
            on_pick(*choice)

    GRID(
        key=key,
        data={
            "label": label,
            "min_width": min_width,
            "tiles": [_told(tile) for tile in tiles],
            "actions": [asdict(action) for action in actions],
            "colours": COLOURS,
        },
        on_picked_change=picked,
    )


def picked_in(told: object, actions: set[str], names: set[str]) -> tuple[str, str] | None:
    """The action and the tile that a browser tells of, None unless both are among those given."""
    choice = told.get("picked") if isinstance(told, Mapping) else None
    if not isinstance(choice, Mapping):
        return None
    action, name = choice.get("action"), choice.get("name")
    if not (isinstance(action, str) and isinstance(name, str)):
        return None
    return (action, name) if action in actions and name in names else None


def _told(tile: Tile) -> dict[str, Any]:
    """A tile as the browser gets it."""
    return asdict(tile) | {
        "picture": "data:image/jpeg;base64," + base64.b64encode(tile.picture).decode(),
        "outlines": [box.xywh for box in tile.outlines],
    }
