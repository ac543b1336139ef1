"""Read and act on a page that runs without a browser."""

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from streamlit.testing.v1 import AppTest

from boxfind.ui.authorization import Visitor
from boxfind.ui.search.address import SEARCH_PARAMETERS
from boxfind.ui.search.search_state import SearchState
from boxfind.ui.session import Picture
from boxfind.ui.widgets.tile_grid import Tile
from retrieval.types import Box

APP = Path(__file__).parents[3] / "app.py"
WIDTH, HEIGHT = 320, 240
Params = dict[str, list[str]]
HERE = Visitor(server="127.0.0.1", headers={"host": ("127.0.0.1:8501",)})
"""A visitor on this machine."""


def address_after(app: AppTest) -> Params:
    """The address that the browser has after a run: that of the server, or what the page puts in place of none."""
    params = dict(app.query_params)
    for element in app.get("bidi_component"):
        if element.proto.component_name == "boxfind_address":
            assert not params.keys() & set(SEARCH_PARAMETERS)
            params |= parse_qs(json.loads(element.proto.json)["query"])
    app.query_params = params
    return {name: [value] if isinstance(value, str) else list(value) for name, value in params.items()}


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
    (component,) = [element for element in app.get("bidi_component") if element.key == key]
    _trigger(app, component, told)


def view_of(app: AppTest) -> dict[str, Any]:
    """The data of the picture view in the dialog."""
    data: dict[str, Any] = json.loads(_view(app).proto.json)
    return data


def tell_view(app: AppTest, event: str, value: object) -> None:
    """Report an event of the picture view, as a browser does, and rerun the page."""
    _trigger(app, _view(app), [{"event": event, "value": value}])


def _view(app: AppTest) -> Any:
    elements = app.get("bidi_component")
    (view,) = [element for element in elements if element.proto.component_name == "boxfind_picture_view"]
    return view


def _trigger(app: AppTest, component: Any, told: object) -> None:
    states = app._tree.get_widget_states()
    states.widgets.add(id=f"$$STREAMLIT_INTERNAL_KEY_{component.proto.id}__events", json_trigger_value=json.dumps(told))
    app._run(states)


def grids(app: AppTest, key: str) -> list[Any]:
    """The tile grids on the page, optionally those with this key."""
    elements = app.get("bidi_component")
    grids = [element for element in elements if element.proto.component_name == "boxfind_tile_grid"]
    return [grid for grid in grids if not key or grid.key == key]


def on_canvas(app: AppTest) -> dict[str, Any]:
    """What the browser gets to draw on."""
    (canvas,) = [element for element in app.get("bidi_component") if element.key == "canvas"]
    shown: dict[str, Any] = json.loads(canvas.proto.json)
    return shown


def draw(app: AppTest, *boxes: Box) -> None:
    """Report these boxes, as a browser does, and rerun the page."""
    edges = [[box.x0, box.y0, box.x1, box.y1] for box in boxes]
    put_on_canvas(app, {"picture": on_canvas(app)["picture"], "boxes": edges, "edit": 1})


def put_on_canvas(app: AppTest, edit: object) -> None:
    """Report a raw value, valid or not, as a browser could."""
    send(app, "canvas", [{"event": "edited", "value": edit}])


def _tile(told: dict[str, Any]) -> Tile:
    return Tile(
        **told
        | {
            "picture": _picture(told["picture"]),
            "size": tuple(told["size"]),
            "outlines": tuple(Box.from_xywh(*xywh) for xywh in told["outlines"]),
            "pressed": tuple(told["pressed"]),
            "also": tuple(told["also"]),
        }
    )


def _picture(address: str) -> bytes:
    """The picture in a data URL; of other pictures the address."""
    head, _, data = address.partition(",")
    return base64.b64decode(data) if head.startswith("data:") else address.encode()


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


def shown_name(app: AppTest) -> str:
    """The name of the picture on the canvas."""
    state: SearchState = app.session_state["search"]
    return state.pictures[state.shown].name
