"""Results of all collections: their export, filters, and what only one collection offers."""

import io
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from boxfind.collection_table import CollectionTable
from boxfind.engines import Engines
from boxfind.export.several_collections import SeveralCollectionsResult, collections_csv
from boxfind.searches.saved_searches import Saved, SavedSearches
from boxfind.settings import Settings
from boxfind.ui.search import export_menu
from boxfind.ui.search.results_in_all import ONLY_IN_ONE
from boxfind.ui.search.search_state import SearchState
from retrieval.request import Example, Request
from retrieval.types import Box
from tests.boxfind.export.test_table import rows
from tests.boxfind.ui.reading import alts, buttons, calm, pick, texts, tiles_of
from tests.boxfind.ui.search.test_address import visit
from tests.tiny import draw_picture, eight_pictures

GRID = "results in all"


@pytest.fixture
def everywhere(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The words "red" searched in all collections: the one that is served, and one of eight pictures."""
    monkeypatch.setenv("BOXFIND_DATA", str(tmp_path / "data"))
    CollectionTable(tmp_path / "data").add("=Sea", [eight_pictures(tmp_path / "second")])
    Engines(Settings.load()).get("=Sea").builds.build(lambda *_: None)
    app.session_state["search"] = SearchState(Request(words="red"))
    app.query_params["collection"] = "all"
    app.run()
    assert calm(app) and len(alts(app, GRID)) == 20
    return app


def test_results_are_exported_with_the_name_of_their_collection(
    everywhere: AppTest, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered: list[SeveralCollectionsResult] = []
    monkeypatch.setattr(export_menu, "_downloads", lambda formats, result, title: offered.append(result))
    everywhere.session_state["export"] = True
    everywhere.run()
    assert calm(everywhere) and "20 results" in texts(everywhere, "caption")
    (result,) = offered
    table = rows(collections_csv(result))
    assert [row["collection"] for row in table].count(pictures.name) == 12
    assert [row["collection"] for row in table].count("'=Sea") == 8  # no formula
    assert parse_qs(urlsplit(result.link).query)["collection"] == ["all"]


def test_the_page_says_what_one_collection_is_needed_for(everywhere: AppTest) -> None:
    assert ONLY_IN_ONE[:-1] in texts(everywhere, "caption") and "Save" not in buttons(everywhere)


def test_filters_hold_for_all_collections(everywhere: AppTest) -> None:
    everywhere.session_state["only likely"] = True
    everywhere.run()
    shown = alts(everywhere, GRID)
    assert calm(everywhere) and len(shown) < 20 and all("likely match" in alt for alt in shown)
    assert f"{20 - len(shown)} results hidden by the filter." in texts(everywhere, "caption")


def test_a_tile_begins_with_its_collection(everywhere: AppTest, pictures: Path) -> None:
    for tile in tiles_of(everywhere, GRID):
        rank, name = tile.title.split("  ")
        assert rank.isdecimal() and name.startswith(("=Sea: ", f"{pictures.name}: "))


def test_the_sidebar_names_all_collections(everywhere: AppTest, pictures: Path) -> None:
    told = texts(everywhere.sidebar, "markdown")
    assert f"**{pictures.name}**: 12 pictures" in told and "**=Sea**: 8 pictures" in told
    everywhere.switch_page("pages/gallery.py").run()
    assert calm(everywhere) and "regions" in texts(everywhere.sidebar, "markdown")


def test_the_closer_view_names_the_collection(everywhere: AppTest) -> None:
    name = next(tile.name for tile in tiles_of(everywhere, GRID) if tile.name.startswith("=Sea"))
    pick(everywhere, GRID, "open", name)
    assert calm(everywhere) and "**1 of 8** · =Sea: " in texts(everywhere, "markdown").replace("\\", "")


def test_an_address_finds_an_uploaded_picture_that_another_collection_has_saved(everywhere: AppTest) -> None:
    file = io.BytesIO()
    Pillow.fromarray(draw_picture(77)).save(file, "JPEG")
    key = sha256(file.getvalue()).hexdigest()
    request = Request((Example(key, Box(10, 20, 90, 80)),))
    store = SavedSearches(Engines(Settings.load()).get("=Sea").settings.searches_file)
    store.save(Saved("Mine", request, datetime(2026, 12, 1), "gen", ()), {key: file.getvalue()})
    assert len(alts(visit({"collection": ["all"], "box": [f"{key}:10,20,80,60"]}), GRID)) == 20
