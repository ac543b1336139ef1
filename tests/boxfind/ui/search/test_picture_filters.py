"""Filters of the Gallery page and of searches, run without a browser."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from boxfind.searches.albums import Albums
from boxfind.ui.session import shared_engine
from retrieval.request import PictureFilter
from retrieval.types import Box
from tests.boxfind.ui.reading import alts, calm, choose, pick, press, texts, tiles_of

ALL = [f"{number:02d}.png" for number in range(12)]


@pytest.fixture
def page(app: AppTest) -> AppTest:
    """The Gallery page of a visitor."""
    app.run()
    app.switch_page("pages/gallery.py").run()
    assert calm(app) and names(app) == ALL
    return app


def names(app: AppTest) -> list[str]:
    return [tile.name for tile in tiles_of(app, "gallery")]


def field(app: AppTest, label: str) -> Any:
    """The field of this label, whatever its kind."""
    kinds = (app.text_input, app.selectbox, app.date_input, app.button_group)
    return next(widget for kind in kinds for widget in kind if widget.label == label)


def test_pictures_are_found_by_name(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boxfind.ui.gallery.browse.PER_PAGE", 2)
    page.run()
    page.get("pagination")[0].set_value(3).run()
    field(page, "Name or folder").input(" 0   PNG ").run()
    assert calm(page) and names(page) == ALL[:2]  # the first page again
    assert "11 of 12 pictures" in texts(page, "caption")
    assert page.query_params["gallery name"] == "0 PNG"
    field(page, "Name or folder").input("nothing").run()
    assert calm(page) and names(page) == [] and "0 of 12 pictures" in texts(page, "caption")


def test_filters_are_combined_counted_and_reset(page: AppTest) -> None:
    field(page, "Shape").set_value("landscape").run()
    assert calm(page) and names(page) == ALL
    field(page, "Size").select(10**6).run()
    assert calm(page) and names(page) == []
    field(page, "Taken from").set_value(date(2000, 1, 1)).run()
    assert page.session_state["chosen pictures"] == PictureFilter(
        shape="landscape", min_pixels=10**6, since=date(2000, 1, 1)
    )
    assert "Filter (3)" in [menu.proto.popover.label for menu in page.get("popover")]
    press(page, "Reset")
    assert calm(page) and names(page) == ALL and not page.query_params


def test_the_filter_stays_after_a_visit_to_another_page(page: AppTest) -> None:
    field(page, "Name or folder").input("03").run()
    page.switch_page("pages/search.py").run()
    page.query_params.clear()
    page.switch_page("pages/gallery.py").run()
    assert names(page) == ["03.png"] and field(page, "Name or folder").value == "03"
    assert page.query_params["gallery name"] == "03"


@pytest.mark.parametrize(
    ("params", "shown"),
    [
        ({"gallery name": "03"}, ["03.png"]),
        ({"gallery shape": "portrait"}, []),
        ({"gallery shape": "<b>"}, ALL),
        ({"gallery since": "soon"}, ALL),
        ({"gallery album": "gone"}, []),
    ],
)
def test_an_address_opens_a_filter_and_a_bad_one_is_ignored(
    app: AppTest, params: dict[str, str], shown: list[str]
) -> None:
    app.run()
    app.query_params = params
    app.switch_page("pages/gallery.py").run()
    assert calm(app) and names(app) == shown


def test_a_search_can_be_limited_by_a_filter(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "03.png", Box(7, 7, 306, 230))
    app.run()
    assert len(alts(app)) == 12
    field(app, "Name or folder").input("1").run()
    assert calm(app)
    assert sorted(tile.name for tile in tiles_of(app, "results")) == ["01.png", "10.png", "11.png"]
    assert "3 of 12 pictures pass" in texts(app, "caption")
    field(app, "Shape").set_value("portrait").run()
    assert calm(app) and not alts(app) and "0 of 12 pictures pass" in texts(app, "caption")
    press(app, "Reset these filters")
    assert len(alts(app)) == 12


def test_a_search_in_an_album_sees_its_changes(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "03.png", Box(7, 7, 306, 230))
    app.run()
    gallery, albums = shared_engine().gallery(), Albums(shared_engine().settings.searches_file)
    albums.add("two", [gallery.entry(image).sha256 for image in ("04.png", "05.png")])
    app.run()
    field(app, "Album").select("two").run()
    assert calm(app) and {tile.name for tile in tiles_of(app, "results")} == {"04.png", "05.png"}
    albums.remove("two", [gallery.entry("04.png").sha256])
    app.run()
    assert {tile.name for tile in tiles_of(app, "results")} == {"05.png"}
    albums.delete("two")
    app.run()
    assert calm(app) and not alts(app) and field(app, "Album").value == "two"


def test_the_filter_of_the_gallery_is_taken_to_the_search_page(page: AppTest) -> None:
    field(page, "Name or folder").input("0").run()
    press(page, "Search in these")
    assert calm(page) and page.session_state["search"].request.only == PictureFilter("0")
    page.switch_page("pages/gallery.py").run()
    pick(page, "gallery", "whole", "03.png")
    assert calm(page)
    found = {tile.name for tile in tiles_of(page, "results")}
    assert found and found <= {name for name in ALL if "0" in name}
