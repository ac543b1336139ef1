"""Choosing the gallery among the folders of this machine, by the local administrator only."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from boxfind.chosen_gallery import chosen_gallery
from boxfind.ui.administration.choose_folder import TYPED, count_pictures, subfolders
from boxfind.ui.session import shared_engine
from tests.boxfind.ui.reading import buttons, calm, press, texts

USE, MAKE = "Search this folder", "Make folder"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BOXFIND_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("boxfind.ui.session._set_aside", set())
    return tmp_path / "data"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with two visible subfolders and a hidden one."""
    for name in ("b *bold*", "A", ".hidden"):
        (tmp_path / "photos" / name).mkdir(parents=True)
    for name in ("1.JPG", "2.png", "notes.txt", ".3.png"):
        (tmp_path / "photos" / "A" / name).touch()
    return tmp_path / "photos"


@pytest.fixture
def page(app: AppTest, data: Path, here: None, started: list[str]) -> AppTest:
    app.run()
    return app.switch_page("pages/folder.py").run()


def go_to(page: AppTest, folder: object) -> None:
    page.text_input(key=TYPED).set_value(str(folder)).run()


def test_folders_are_listed_by_name_without_hidden_ones(photos: Path) -> None:
    assert subfolders(photos) == [photos / "A", photos / "b *bold*"]
    assert count_pictures(photos / "A") == 2


def test_a_link_that_leads_nowhere_does_not_hide_the_folders(photos: Path) -> None:
    (photos / "circle").symlink_to("circle")
    (photos / "gone").symlink_to("nowhere")
    assert subfolders(photos) == [photos / "A", photos / "b *bold*"]


def test_a_folder_is_found_step_by_step_and_searched(
    page: AppTest, photos: Path, data: Path, started: list[str], caplog: Any
) -> None:
    caplog.set_level("INFO", "boxfind")
    go_to(page, photos.parent)
    press(page, "photos")
    assert calm(page) and {"A", r"b \*bold\*"} <= set(buttons(page))
    press(page, "A")
    assert page.text_input(key=TYPED).value == str(photos / "A") and "A itself holds 2 pictures" in texts(
        page, "caption"
    )
    press(page, USE)
    assert calm(page) and chosen_gallery(data) == photos / "A"
    assert shared_engine().settings.gallery_dir == photos / "A" and not shared_engine().settings.index
    assert started == ["build"]  # it has no index yet
    assert "Another gallery folder was chosen by a visitor on this machine." in caplog.messages


def test_a_new_folder_is_made_and_shown(page: AppTest, photos: Path) -> None:
    go_to(page, photos)
    page.text_input(key="new folder").set_value("My pictures")
    press(page, MAKE)
    assert calm(page) and (photos / "My pictures").is_dir()
    assert page.text_input(key=TYPED).value == str(photos / "My pictures")


@pytest.mark.parametrize("name", ["../up", "", ".", "a:b"])
def test_only_valid_names_make_a_folder(page: AppTest, photos: Path, name: str) -> None:
    go_to(page, photos)
    before = sorted(photos.parent.rglob("*"))
    page.text_input(key="new folder").set_value(name)
    press(page, MAKE)
    assert calm(page) and "is not a valid folder" in texts(page, "toast").replace("\\", "")
    assert sorted(photos.parent.rglob("*")) == before


@pytest.mark.parametrize("typed", ["", "nowhere", "/nowhere/at/all", "~nobody-of-this-name/x", "a\0b"])
def test_a_path_that_is_no_folder_is_reported(page: AppTest, typed: str) -> None:
    go_to(page, typed)
    assert calm(page) and "There is no folder" in texts(page, "toast").replace("\\", "")


def test_the_sample_gallery_can_be_chosen_again(page: AppTest, photos: Path, data: Path, pictures: Path) -> None:
    go_to(page, photos / "A")
    press(page, USE)
    page.switch_page("pages/folder.py").run()
    press(page, "Use the sample gallery")
    assert calm(page) and chosen_gallery(data) is None and shared_engine().settings.is_sample


def test_the_page_says_that_a_choice_ends_with_a_restart(page: AppTest, photos: Path) -> None:
    said = "until Boxfind is started again"
    assert said in texts(page, "caption") and "index folder given at the start is not used" in texts(page, "caption")
    go_to(page, photos / "A")
    press(page, USE)
    page.switch_page("pages/folder.py").run()
    assert calm(page) and said in texts(page, "caption")


def test_a_choice_that_is_kept_is_shown_without_a_warning(
    page: AppTest, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BOXFIND_GALLERY")
    monkeypatch.delenv("BOXFIND_INDEX")
    st.cache_resource.clear()
    go_to(page, photos / "A")
    press(page, USE)
    page.switch_page("pages/folder.py").run()
    assert calm(page) and "started again" not in texts(page, "caption")


def test_r48_choosing_asks_again_who_the_visitor_is(
    page: AppTest, photos: Path, data: Path, leave: Callable[[], None], caplog: Any
) -> None:
    go_to(page, photos / "A")
    leave()
    press(page, USE)
    assert chosen_gallery(data) is None and caplog.messages[-1].startswith(("Refused", "Error"))
    assert any(message.startswith("Refused") for message in caplog.messages)


def test_r48_administrators_elsewhere_cannot_look_at_the_folders(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXFIND_ADMIN", "login")
    monkeypatch.setenv("BOXFIND_ADMINS", "ada@example.org")
    app.user = {"is_logged_in": True, "email": "ada@example.org", "email_verified": True}
    app.run()
    with pytest.raises(ValueError, match="Could not find a navigation page"):
        app.switch_page("pages/folder.py")
