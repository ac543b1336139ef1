"""Read and act on a page that runs without a browser."""

import base64
import json
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from boxfind.ui.authorization import Visitor
from boxfind.ui.search.search_state import SearchState
from boxfind.ui.session import Picture
from boxfind.ui.widgets.tile_grid import Tile
from retrieval.types import Box

APP = Path(__file__).parents[3] / "app.py"
WIDTH, HEIGHT = 320, 240
HERE = Visitor(server="127.0.0.1", headers={"host": ("127.0.0.1:8501",)})
"""A visitor on this machine."""


def calm(app: AppTest) -> bool:
    """Whether the page shows no unexpected error."""
    return not app.exception and "Something went wrong" not in texts(app, "error")


def texts(app: AppTest, kind: str) -> str:
    return " ".join(str(element.value) for element in app.get(kind))


def alts(app: AppTest, grid: str = "results") -> list[str]:
    """The alternative texts of the tiles of a grid, in order."""
    return [tile.alt for tile in tiles_of(app, grid)]


def tiles_of(app: AppTest, key: str = "") -> list[Tile]:
    """The tiles of the grid with this key, or of all grids, as sent to the browser."""
    return [_tile(told) for grid in grids(app, key) for told in json.loads(grid.proto.json)["tiles"]]


def pick(app: AppTest, key: str, action: str, name: str) -> None:
    """Choose an action of a tile, as a browser does, and rerun the page."""
    send(app, key, [{"event": "picked", "value": {"action": action, "name": name}}])


def send(app: AppTest, key: str, told: object) -> None:
    """Send a raw value, valid or not, as a browser could."""
    (grid,) = grids(app, key)
    states = app._tree.get_widget_states()
    states.widgets.add(id=f"$$STREAMLIT_INTERNAL_KEY_{grid.proto.id}__events", json_trigger_value=json.dumps(told))
    app._run(states)


def grids(app: AppTest, key: str) -> list[Any]:
    """The tile grids on the page, optionally those with this key."""
    elements = app.get("bidi_component")
    grids = [element for element in elements if element.proto.component_name == "boxfind_tile_grid"]
    return [grid for grid in grids if not key or grid.key == key]


def _tile(told: dict[str, Any]) -> Tile:
    return Tile(
        **told
        | {
            "picture": base64.b64decode(told["picture"].partition(",")[2]),
            "size": tuple(told["size"]),
            "outlines": tuple(Box.from_xywh(*xywh) for xywh in told["outlines"]),
            "pressed": tuple(told["pressed"]),
        }
    )


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click()
    app.run()


def press_in_dialog(app: AppTest, label: str) -> None:
    """AppTest reruns the whole page, whereas a browser reruns only the open dialog."""
    app.session_state["dialog requested"] = True
    press(app, label)


def choose(app: AppTest, picture: Path, box: Box | None = None) -> Picture:
    chosen = Picture(picture.name, picture.read_bytes())
    state = SearchState()
    state.show(chosen, [] if box is None else [box])
    app.session_state["search"] = state
    return chosen


def draw_on_canvas(app: AppTest, key: str, *boxes: tuple[float, float, float, float]) -> None:
    put_on_canvas(
        app,
        key,
        {
            "objects": [
                {"type": "LabeledRect", "left": x, "top": y, "width": w, "height": h, "scaleX": 1, "scaleY": 1}
                for x, y, w, h in boxes
            ]
        },
    )


def put_on_canvas(app: AppTest, key: str, raw: object) -> None:
    """Send a raw value, valid or not, as a browser could."""
    app.session_state[key] = {"drawing": {"raw": raw, "data": None}, "backgroundFit": None}


def canvas_of(app: AppTest) -> str:
    """The current key of the canvas."""
    state: SearchState = app.session_state["search"]
    return f"canvas-{state.shown}-{state.canvas}"


def shown_name(app: AppTest) -> str:
    """The name of the picture on the canvas."""
    state: SearchState = app.session_state["search"]
    return state.pictures[state.shown].name
