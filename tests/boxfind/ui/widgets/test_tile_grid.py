import base64
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from boxfind.ui.widgets import tile_grid
from boxfind.ui.widgets.tile_grid import Tile, picked_in
from retrieval.images.resize import thumbnail
from retrieval.types import Box
from tests.boxfind.ui.reading import grids, pick, send, tiles_of

NAMES = ["a.jpg", "<b>ü</b>.jpg", "folder/c d.jpg"]


def page(tiles: list) -> None:  # AppTest runs only the source of this function
    import streamlit as st

    from boxfind.ui.widgets.tile_grid import Action, tile_grid

    def note(action: str, name: str) -> None:
        st.session_state.setdefault("noted", []).append((action, name))

    actions = [Action("open", "Closer view", "zoom_in"), Action("right", "Right", "thumb_up", "r", toggle=True)]
    tile_grid(tiles, actions, note, "grid", label="Results")
    tile_grid(tiles[:1], actions[:1], note, "other")


def sample(number: int) -> Tile:
    grey = np.full((30, 40, 3), 40 * number, dtype=np.uint8)
    return Tile(
        NAMES[number],
        thumbnail(grey),
        (400, 300),
        alt=f"Picture {number}",
        title=NAMES[number],
        outlines=(Box(10, 20, 110, 220), Box(0, 0, 400, 300))[:number],
        badge="likely",
        tone="good",
        help="It hardly ever looks like this by chance.",
        pressed=("right",) if number == 1 else (),
        section="Less likely" if number else "",
        stack=NAMES[1] if number == 2 else "",
        source="film.mp4" if number else "",
        place="0:12" if number else "",
        order=12.5 * number,
        also=("also at", "also at"),
    )


TILES = [sample(number) for number in range(len(NAMES))]


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(page, default_timeout=20, kwargs={"tiles": TILES}).run()


def noted(app: AppTest) -> list[tuple[str, str]]:
    return app.session_state.get("noted", [])


def test_the_browser_gets_all_tiles_in_order(app: AppTest) -> None:
    assert not app.exception
    assert tiles_of(app, "grid") == TILES
    assert len(tiles_of(app)) == len(TILES) + 1


def test_pictures_are_sent_as_jpeg_data_urls(app: AppTest) -> None:
    (grid,) = grids(app, "grid")
    told = json.loads(grid.proto.json)
    assert told["label"] == "Results"
    for tile in told["tiles"]:
        head, _, data = tile["picture"].partition(",")
        assert head == "data:image/jpeg;base64"
        assert Pillow.open(io.BytesIO(base64.b64decode(data))).format == "JPEG"


def test_later_pictures_are_sent_as_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile_grid, "INLINE", 2)
    app = AppTest.from_function(page, default_timeout=20, kwargs={"tiles": TILES}).run()
    (grid,) = grids(app, "grid")
    first, second, third = (told["picture"] for told in json.loads(grid.proto.json)["tiles"])
    assert first.startswith("data:") and second.startswith("data:")
    assert third.startswith("/mock/media/") and third.endswith(".jpg")
    monkeypatch.setattr("streamlit.get_option", lambda name: {"server.baseUrlPath": "/boxfind/"}[name])
    (grid,) = grids(app.run(), "grid")
    assert json.loads(grid.proto.json)["tiles"][2]["picture"] == f"/boxfind{third}"


def test_a_pick_calls_back_once(app: AppTest) -> None:
    pick(app, "grid", "right", NAMES[1])
    assert noted(app) == [("right", NAMES[1])]
    app.run()
    assert noted(app) == [("right", NAMES[1])]
    pick(app, "other", "open", NAMES[0])
    assert noted(app) == [("right", NAMES[1]), ("open", NAMES[0])]
    assert not app.exception


@pytest.mark.parametrize(
    "value",
    [
        {"action": "open", "name": "elsewhere.jpg"},
        {"action": "delete", "name": NAMES[0]},
        {"action": "open"},
        {"name": NAMES[0]},
        {"action": ["open"], "name": {"a": 1}},
        {"action": None, "name": None},
        [["open", NAMES[0]]],
        "open",
        7,
        None,
    ],
)
def test_r26_unknown_actions_and_tiles_are_ignored(app: AppTest, value: object) -> None:
    send(app, "grid", [{"event": "picked", "value": value}])
    assert not app.exception
    assert noted(app) == []


@pytest.mark.parametrize("told", [[], {}, "picked", None, 3, [1, "x"], [{"event": 5, "value": {}}], [{"event": "x"}]])
def test_r26_invalid_events_are_ignored(app: AppTest, told: object) -> None:
    send(app, "grid", told)
    assert not app.exception
    assert noted(app) == []


def test_r26_a_tile_of_another_grid_cannot_be_picked(app: AppTest) -> None:
    pick(app, "other", "open", NAMES[2])
    pick(app, "other", "right", NAMES[0])
    assert noted(app) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["picked", "action", "name"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON | st.builds(lambda value: {"picked": value}, JSON))
def test_r26_any_json_gives_a_known_pair_or_none(told: object) -> None:
    found = picked_in(told, {"open"}, {"a"})
    assert found in (None, ("open", "a"))
    assert picked_in({"picked": {"action": "open", "name": "a", "more": told}}, {"open"}, {"a"}) == ("open", "a")
