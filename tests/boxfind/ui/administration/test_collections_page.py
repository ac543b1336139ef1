"""The Collections page: what it says of each collection, and its menu."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from boxfind.collection_table import CollectionTable
from boxfind.engines import Engines
from boxfind.settings import Settings
from index.operations.away_check import forget_answers
from tests.boxfind.ui.reading import buttons, calm, press, texts
from tests.tiny import draw_picture


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two folders with a picture each; the collections are in a folder of their own."""
    monkeypatch.setenv("BOXFIND_DATA", str(tmp_path / "data"))
    made = [tmp_path / name for name in ("sea", "attic")]
    for folder in made:
        folder.mkdir()
        Pillow.fromarray(draw_picture(3)).save(folder / "3.png")
    return made


@pytest.fixture
def opened(app: AppTest, tmp_path: Path, folders: list[Path], here: None, started: list[str]) -> Callable[[], AppTest]:
    """Open the page with one more collection, which has both folders."""
    CollectionTable(tmp_path / "data").add("Both", folders, ["drafts/"])
    app.run()
    return lambda: app.switch_page("pages/collections.py").run()


def test_the_page_says_what_a_collection_holds(opened: Callable[[], AppTest], pictures: Path) -> None:
    page = opened()
    told = texts(page, "markdown")
    assert calm(page) and f"**{pictures.name}**: 12 pictures" in told and "**Both**: not indexed yet" in told
    assert "without drafts/" in told and "The first one opens" in texts(page, "caption")


def test_the_page_names_the_folder_that_is_not_there(opened: Callable[[], AppTest], folders: list[Path]) -> None:
    folders[1].rename(folders[1].with_name("elsewhere"))
    forget_answers()
    page = opened()
    assert calm(page) and "not indexed yet · attic is empty or not there" in texts(page, "markdown")


def test_each_menu_has_a_name_for_screen_readers(opened: Callable[[], AppTest]) -> None:
    page = opened()
    assert next(menu.proto.popover.label for menu in page.get("popover")) == "More about Both"


def test_a_collection_is_put_first_and_removed(opened: Callable[[], AppTest], tmp_path: Path) -> None:
    table = CollectionTable(tmp_path / "data")
    table.add("Sea", [tmp_path / "sea"])
    page = opened()
    page.button(key="first 2").click().run()
    assert calm(page) and [collection.name for collection in table.read()] == ["Sea", "Both"]
    press(page, "Remove Both")
    assert calm(page) and [collection.name for collection in table.read()] == ["Sea"]
    assert "Open" in buttons(page)


def test_a_collection_whose_folder_was_moved_can_be_shown_its_new_place(
    app: AppTest, tmp_path: Path, folders: list[Path], here: None
) -> None:
    CollectionTable(tmp_path / "data").add("Sea", [folders[0]])
    Engines(Settings.load()).get("Sea").builds.build(lambda *_: None)
    app.query_params["collection"] = "Sea"
    app.run()
    page = app.switch_page("pages/collections.py").run()
    assert calm(page) and "**Sea**: 1 picture" in texts(page, "markdown") and not page.info
    folders[0].rename(folders[0].with_name("ocean"))
    forget_answers()
    page.run()
    assert calm(page) and "1 picture · its folder is empty or not there" in texts(page, "markdown")
    assert "The folder of Sea is not there." in texts(page, "info")
    page = app.switch_page("pages/gallery.py").run()
    assert calm(page) and "The picture folder of Sea is not there" in texts(page, "markdown")
