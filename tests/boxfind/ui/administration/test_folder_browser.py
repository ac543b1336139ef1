"""Choosing the gallery among the folders of this machine, by the local administrator only."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from boxfind.collection_table import Collection, CollectionTable
from boxfind.ui.administration.add_collection import NAME
from boxfind.ui.administration.folder_browser import TYPED, count_pictures, subfolders
from tests.boxfind.ui.reading import buttons, calm, press, texts

USE, MAKE, ADD = "Add this folder", "Make folder", "Add and start"


def table(data: Path) -> tuple[Collection, ...]:
    return CollectionTable(data).read()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BOXFIND_DATA", str(tmp_path / "data"))
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
    return app.switch_page("pages/collections.py").run()


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
    assert page.text_input(key=TYPED).value == str(photos / "A") and "2 pictures directly in A." in texts(
        page, "caption"
    )
    press(page, USE)
    assert "**2 files** to read." in texts(page, "markdown") and page.text_input(key=NAME).value == "A"
    page.text_input(key=NAME).set_value("Holiday")
    press(page, ADD)
    assert calm(page) and [(one.name, one.folders) for one in table(data)] == [("Holiday", (photos / "A",))]
    assert page.session_state["collection"] == "Holiday"
    assert started == ["build"]  # it has no index yet
    assert "A collection was added by a visitor on this machine." in caplog.messages


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


def test_an_empty_folder_is_added_without_a_build(page: AppTest, photos: Path, data: Path, started: list[str]) -> None:
    go_to(page, photos / "b *bold*")
    press(page, USE)
    assert "**no pictures** to read yet" in texts(page, "markdown") and ADD not in buttons(page)
    page.button(key="add collection").click().run()
    assert calm(page) and [one.folders for one in table(data)] == [(photos / "b *bold*",)] and not started
    assert page.session_state["collection"] == "b *bold*"


def test_several_folders_make_one_collection(page: AppTest, photos: Path, data: Path) -> None:
    go_to(page, photos / "A")
    press(page, "Take several folders")
    assert "Add 1 folder" in buttons(page) and page.button(key="remove folder 0").label.endswith("photos/A")
    assert page.button(key="collect folder").disabled  # it is in the list
    go_to(page, photos)  # on the way to the next one, which is not taken
    go_to(page, photos / "b *bold*")
    press(page, "Take this folder, too")
    go_to(page, photos.parent)
    press(page, "Take this folder, too")
    page.button(key="remove folder 2").click().run()
    press(page, "Add 2 folders")
    press(page, ADD)
    assert calm(page) and [one.folders for one in table(data)] == [(photos / "A", photos / "b *bold*")]


def test_r48_choosing_asks_again_who_the_visitor_is(
    page: AppTest, photos: Path, data: Path, leave: Callable[[], None], caplog: Any
) -> None:
    go_to(page, photos / "A")
    press(page, USE)
    leave()
    press(page, ADD)
    assert not table(data) and caplog.messages[-1].startswith(("Refused", "Error"))
    assert any(message.startswith("Refused") for message in caplog.messages)


def test_r48_administrators_elsewhere_cannot_look_at_the_folders(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXFIND_ADMIN", "login")
    monkeypatch.setenv("BOXFIND_ADMINS", "ada@example.org")
    app.user = {"is_logged_in": True, "email": "ada@example.org", "email_verified": True}
    app.run()
    with pytest.raises(ValueError, match="Could not find a navigation page"):
        app.switch_page("pages/collections.py")
