"""Picture grid as a single Streamlit component, independent of the number of tiles."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import streamlit as st

from boxfind.ui.widgets.component_files import joined_files
from boxfind.ui.widgets.media_address import data_url, media_address
from boxfind.ui.widgets.thumbnail import COLOURS
from retrieval.types import Box

GRID = st.components.v2.component(
    "boxfind_tile_grid",
    html='<ul role="list"></ul>',
    css=joined_files("tile_grid.css"),
    js=joined_files("tile_grid.js", "load_picture.js", "svg.js"),
)
INLINE = 12
"""Pictures sent with the grid, so that they show at once. The browser loads the others when they come near."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture in the grid. All text is shown as plain text."""

    name: str
    """Unique name within the grid, for example an image id."""
    picture: bytes
    """A thumbnail JPEG. Keep it small: the first ones are sent again with every change."""
    size: tuple[int, int]
    """Width and height of the original in pixels; outlines use its coordinates."""
    alt: str
    title: str
    """The line under the picture, shortened in the middle if too long."""
    outlines: tuple[Box, ...] = ()
    """Boxes to outline, in the order of COLOURS."""
    badge: str = ""
    tone: Literal["good", "fair", "poor", ""] = ""
    """The colour of the badge."""
    help: str = ""
    """A sentence that explains the badge."""
    pressed: tuple[str, ...] = ()
    """Names of the active toggle actions."""
    section: str = ""
    """Heading of the tile's section, shown above the first of its tiles. Tiles of a section are adjacent."""
    stack: str = ""
    """Name of the tile under which this one is hidden until the visitor opens the stack. It follows that tile."""
    source: str = ""
    """What adjacent tiles have in common of which one is shown, at first the first one, with buttons for the others."""
    place: str = ""
    """The label of the button that shows this tile in place of another one of its source."""
    order: float = 0
    """What those buttons are sorted by."""
    also: tuple[str, str] = ("", "")
    """The words before one such button, and before several."""


@dataclass(frozen=True, slots=True)
class Action:
    """An action on a tile. A click on the picture runs the first action of the grid."""

    name: str
    label: str
    icon: str
    """A Material Symbols name, as in `:material/thumb_up:`."""
    shortcut: str = ""
    """A letter key that runs the action on the focused tile."""
    toggle: bool = False


def tile_grid(
    tiles: Sequence[Tile],
    actions: Sequence[Action],
    on_pick: Callable[[str, str], None],
    key: str,
    min_width: int = 170,
    label: str = "Pictures",
) -> None:
    """Show the tiles in columns at least `min_width` pixels wide. `label` is the accessible name of the grid.

    `on_pick` gets the names of the chosen action and tile before the page reruns. Browser data is untrusted: only
    names of shown actions and tiles are accepted. `key` must not contain two consecutive underscores.
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
            "tiles": [_to_json(tile, f"{key} {place}", inline=place < INLINE) for place, tile in enumerate(tiles)],
            "actions": [asdict(action) for action in actions],
            "colours": COLOURS,
        },
        on_picked_change=picked,
    )


def picked_in(sent: Any, actions: set[str], names: set[str]) -> tuple[str, str] | None:
    """The action and tile in the browser data; None unless both are among the given names."""
    try:
        choice = sent["picked"]
        action, name = choice["action"], choice["name"]
        known = action in actions and name in names
    except (KeyError, TypeError):
        return None
    return (action, name) if known else None


def _to_json(tile: Tile, place: str, inline: bool) -> dict[str, Any]:
    picture = data_url(tile.picture) if inline else media_address(tile.picture, place)
    told = {field.name: getattr(tile, field.name) for field in fields(tile)}  # asdict would copy every value
    return told | {"picture": picture, "outlines": [box.xywh for box in tile.outlines]}
