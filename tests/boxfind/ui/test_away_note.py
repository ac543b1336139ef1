"""Pages of a gallery whose folder is not there: a note, thumbnails, and the offer of its new place."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from boxfind.attached_indexes import index_attached_to
from boxfind.settings import Settings
from boxfind.ui import away_note
from boxfind.ui.session import shared_engine
from index.operations import away_check, moved_gallery
from index.operations.attach_gallery import attach_gallery
from index.operations.away_check import forget_answers
from index.storage.generation import current_folder
from index.storage.manifest import read_manifest
from tests.boxfind.ui.reading import alts, buttons, calm, pick, press, texts, tiles_of

AWAY = "The picture folder is not there"
PAGES = ("search", "gallery", "catalogue", "evaluate")


@pytest.fixture(autouse=True)
def asked_each_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(away_check, "LASTS", 0.0)
    forget_answers()
    yield
    forget_answers()


@pytest.fixture
def folder(app: AppTest, pictures: Path, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the served gallery, which can be moved; its index is in the data folder."""
    monkeypatch.setenv("BOXFIND_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("BOXFIND_INDEX")
    folder = Path(shutil.copytree(pictures, tmp_path / "home" / "photos"))
    monkeypatch.setenv("BOXFIND_GALLERY", str(folder))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setattr(moved_gallery, "_drives", lambda: [])
    own = Settings.load().index_dir
    shutil.copytree(index, own)
    attach_gallery(own, folder)
    return folder


def found() -> None:
    """Wait until the new place has been looked for."""
    for thread in threading.enumerate():
        if thread.name == "look for folder":
            thread.join(60)


def notes(app: AppTest) -> str:
    return texts(app, "markdown")


def test_r95_pages_say_that_the_drive_is_away_until_it_is_back(app: AppTest, folder: Path) -> None:
    app.run()
    assert calm(app) and AWAY not in notes(app)
    folder.rename(folder.with_name(".unplugged"))
    for page in PAGES:
        app.switch_page(f"pages/{page}.py").run()
        assert calm(app) and AWAY in notes(app), page
        assert str(folder) not in notes(app) + texts(app, "caption")
    app.switch_page("pages/gallery.py").run()
    pick(app, "gallery", "whole", "03.png")
    app.switch_page("pages/search.py").run()
    said = texts(app, "caption").replace("\\", "")
    assert calm(app) and "Searching with the thumbnail from the index" in said
    assert "03.png, 320 x 240 pixels" in said and len(alts(app)) == 12
    assert "03.png" in alts(app)[0]
    folder.with_name(".unplugged").rename(folder)
    app.run()
    assert calm(app) and AWAY not in notes(app) and "thumbnail" not in texts(app, "caption")
    assert len(alts(app)) == 12 and app.session_state["search"].pictures


def test_r96_the_new_place_is_offered_to_the_local_administrator_only(
    app: AppTest, folder: Path, here: None, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = folder.rename(folder.with_name("holidays"))
    app.run()
    found()
    app.run()
    offer = f"The folder moved to {moved}: use it"
    assert calm(app) and offer in [label.replace("\\", "") for label in buttons(app)]
    with monkeypatch.context() as patch:
        patch.setattr("boxfind.ui.away_note.is_local_admin", lambda: False)
        app.run()
        assert calm(app) and "use it" not in " ".join(buttons(app)) and AWAY in notes(app)
    app.run()
    index = shared_engine().settings.index_dir
    app.button(key="use moved folder").click().run()
    app.switch_page("pages/search.py").run()
    assert calm(app) and AWAY not in notes(app)
    settings = shared_engine().settings
    assert settings.gallery_dir == moved and settings.index_dir == index and not started
    assert read_manifest(current_folder(index)).gallery == str(moved)


def test_r96_choosing_the_new_place_keeps_the_index(
    app: AppTest, folder: Path, here: None, started: list[str], tmp_path: Path
) -> None:
    app.run()
    index = shared_engine().settings.index_dir
    moved = folder.rename(tmp_path / "far")
    app.switch_page("pages/collections.py").run()
    app.text_input(key="folder path").set_value(str(moved)).run()
    press(app, "Add this folder")
    press(app, "Add and start")
    app.switch_page("pages/gallery.py").run()
    assert calm(app) and len(tiles_of(app, "gallery")) == 12 and not started
    assert shared_engine().settings.index_dir == index == index_attached_to(tmp_path / "data", moved, index)


def test_a_folder_that_is_not_found_can_be_chosen(app: AppTest, folder: Path, here: None) -> None:
    folder.rename(folder.with_name(".hidden"))
    app.run()
    found()
    app.run()
    assert calm(app) and AWAY in notes(app) and "use it" not in " ".join(buttons(app))
    assert "choose its new place" in " ".join(link.label for link in app.get("page_link"))
    assert str(folder) in texts(app, "caption").replace("\\", "")


def test_while_it_is_looked_for_the_page_says_so(
    app: AppTest, folder: Path, here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = threading.Event()
    monkeypatch.setattr(away_note, "moved_to", lambda _: end.wait(60) and None)
    st.cache_resource.clear()
    folder.rename(folder.with_name(".hidden"))
    app.run()
    assert calm(app) and "Looking whether it was moved" in texts(app, "caption")
    end.set()
