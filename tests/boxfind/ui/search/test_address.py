"""The search is in the address of the page, and an address opens its search."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from boxfind.searches.link import MOST_MARKS
from boxfind.ui.search import address
from boxfind.ui.search.kept_pictures import ID, kept_pictures
from boxfind.ui.search.search_state import SearchState
from boxfind.ui.session import Picture
from retrieval.types import Box
from tests.boxfind.ui.reading import APP, Params, address_after, alts, calm, choose, pick, press, shown_name, texts

BOX, OTHER = Box(10, 20, 210, 170), Box(60, 40, 200, 180)


@pytest.fixture
def upload(draw: Any, tmp_path: Path) -> Path:
    """A picture that is not in the gallery."""
    Pillow.fromarray(draw(77, 320, 240)).save(tmp_path / "mine.png")
    return tmp_path / "mine.png"


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    kept_pictures.cache_clear()
    yield
    kept_pictures.cache_clear()


def search(app: AppTest) -> SearchState:
    state: SearchState = app.session_state["search"]
    return state


def visit(params: Params) -> AppTest:
    """Another visit to an address, by reload or in another browser."""
    other = AppTest.from_file(str(APP), default_timeout=60)
    other.query_params = dict(params)
    other.run()
    assert calm(other)
    return other


def go(app: AppTest, params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go back or forward to an address in the history of the browser."""
    with monkeypatch.context() as patch:
        patch.setattr(address, "_navigated", lambda: True)
        app.query_params = dict(params)
        app.run()
    assert calm(app)


def test_back_to_an_address_that_is_not_yet_complete_keeps_the_search(
    app: AppTest, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(app, pictures / "03.png", BOX)
    app.run()
    found = alts(app)
    assert len(found) == 12
    go(app, {}, monkeypatch)
    assert alts(app) == found and address_after(app)


def test_an_address_opens_the_search_in_another_visit(app: AppTest, pictures: Path) -> None:
    picture = choose(app, pictures / "03.png", BOX)
    search(app).set_options(replace(search(app).request, ranking="fast", context=1.2))
    app.run()
    params = address_after(app)
    assert params == {"box": [f"{picture.key}:10,20,200,150"], "rank": ["fast"], "context": ["1.2"]}
    other = visit(params)
    assert alts(other) == alts(app) and search(other).request == search(app).request


def test_the_address_of_an_upload_has_an_id_that_only_its_visitor_knows(app: AppTest, upload: Path) -> None:
    picture = choose(app, upload, BOX)
    app.run()
    params = address_after(app)
    name, _, box = params["box"][0].partition(":")
    assert ID.fullmatch(name) and name not in picture.key
    assert alts(visit(params)) == alts(app)
    for unknown in (picture.key, name[:-1] + ("A" if name[-1] != "A" else "B")):
        stranger = visit({"box": [f"{unknown}:{box}"]})
        assert not alts(stranger) and "no longer available" in texts(stranger, "warning")
    assert kept_pictures().get(name) is search(app).pictures[picture.key]  # one copy in memory


def test_a_picture_without_a_box_is_in_the_address(app: AppTest, upload: Path) -> None:
    choose(app, upload)
    app.run()
    params = address_after(app)
    assert list(params) == ["picture"]
    assert shown_name(visit(params)) == "mine.png"


def test_back_and_forward_open_the_searches_of_the_history(
    app: AppTest, upload: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(app, upload)
    app.run()
    history = [address_after(app)]
    for box in (BOX, OTHER):
        search(app).draw([box])
        app.run()
        history.append(address_after(app))
    found = alts(app)
    assert len({str(params) for params in history}) == 3
    go(app, history[1], monkeypatch)
    assert search(app).boxes == [BOX] and address_after(app) == history[1]
    go(app, history[0], monkeypatch)
    assert search(app).boxes == [] and shown_name(app) == "mine.png" and not alts(app)
    go(app, history[2], monkeypatch)
    assert search(app).boxes == [OTHER] and alts(app) == found
    assert len(search(app).steps) == 2


def test_a_change_of_page_keeps_the_search_and_its_address(app: AppTest, upload: Path) -> None:
    choose(app, upload, BOX)
    app.run()
    found, params = alts(app), address_after(app)
    app.query_params = {}
    app.switch_page("pages/gallery.py").run()
    app.query_params = {}
    app.switch_page("pages/search.py").run()
    assert calm(app) and alts(app) == found and address_after(app) == params


def test_a_search_from_the_gallery_gets_its_address(app: AppTest) -> None:
    app.run()
    app.switch_page("pages/gallery.py").run()
    pick(app, "gallery", "whole", "04.png")
    app.switch_page("pages/search.py").run()
    (box,) = address_after(app)["box"]
    assert box.endswith(":0,0,320,240")


def test_an_address_that_cannot_be_opened_stays_until_the_next_search(app: AppTest, pictures: Path) -> None:
    gone = {"box": [f"{'x' * 22}:1,2,30,40"]}
    app.query_params = dict(gone)
    app.run()
    assert calm(app) and "no longer available" in texts(app, "warning")
    assert address_after(app) == gone
    app.run()
    assert address_after(app) == gone
    search(app).show(Picture("03.png", (pictures / "03.png").read_bytes()), [BOX])
    app.run()
    assert address_after(app)["box"] != gone["box"] and alts(app)


def test_a_box_in_an_address_is_clipped_to_its_picture(app: AppTest, pictures: Path) -> None:
    app.run()
    key = sha256((pictures / "03.png").read_bytes()).hexdigest()
    wide = visit({"box": [f"{key}:200,100,5000,5000"]})
    assert alts(wide) and search(wide).boxes == [Box(200, 100, 320, 240)]
    outside = AppTest.from_file(str(APP), default_timeout=60)
    outside.query_params = {"box": [f"{key}:400,300,50,50"]}
    outside.run()
    assert calm(outside) and "lies outside the picture" in texts(outside, "warning")


def test_marks_are_left_out_of_an_address_that_servers_would_refuse(app: AppTest, pictures: Path) -> None:
    picture = choose(app, pictures / "03.png", BOX)
    state = search(app)
    state.mark("05.png", positive=True)
    app.run()
    assert address_after(app)["right"] == ["05.png"]
    for number in range(100):
        state.mark(f"a folder with a long name/picture {number} of many.jpg", positive=True)
    app.run()
    assert address_after(app) == {"box": [f"{picture.key}:10,20,200,150"]}


def test_an_address_has_no_more_marks_than_one_may_have(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "03.png", BOX)
    for number in range(MOST_MARKS + 1):
        search(app).mark(f"{number}", positive=True)
    app.run()
    params = address_after(app)
    assert "right" not in params and search(visit(params)).boxes == [BOX]


@pytest.mark.parametrize("way", ["reload", "back"])
def test_an_address_that_says_the_same_in_another_way_stays(
    app: AppTest, pictures: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(app, pictures / "03.png", BOX)
    app.run()
    here = address_after(app)
    given = here | {"rank": ["best"]}
    if way == "reload":
        app = visit(given)
    else:
        search(app).draw([OTHER])
        app.run()
        go(app, given, monkeypatch)
    assert search(app).boxes == [BOX] and address_after(app) == given
    app.run()
    assert address_after(app) == given
    search(app).draw([OTHER])
    app.run()
    assert address_after(app) == {"box": [f"{search(app).shown}:60,40,140,140"]}


def test_parameters_of_others_are_kept(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "03.png", BOX)
    app.query_params = {"utm_source": "x", "words": "none"}
    app.session_state["address was read"] = True
    app.run()
    params = address_after(app)
    assert params["utm_source"] == ["x"] and "words" not in params and "box" in params


def test_an_emptied_search_empties_the_address(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "03.png", BOX)
    app.run()
    address_after(app)
    press(app, "Clear")
    assert list(address_after(app)) == ["picture"]
