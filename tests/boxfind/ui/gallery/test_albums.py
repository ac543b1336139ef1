"""Selections and albums on the Gallery page, run without a browser."""

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from boxfind.searches.albums import Albums
from boxfind.searches.database import Database
from boxfind.searches.errors import SavedSearchesProblem
from boxfind.ui.session import shared_engine
from tests.boxfind.ui.reading import buttons, calm, pick, press, press_in_dialog, texts, tiles_of


@pytest.fixture
def page(app: AppTest) -> AppTest:
    """The Gallery page of a visitor."""
    app.run()
    app.switch_page("pages/gallery.py").run()
    assert calm(app)
    return app


@pytest.fixture
def admins_page(here: None, page: AppTest) -> AppTest:
    return page


def albums() -> Albums:
    return Albums(shared_engine().settings.searches_file)


def contents(*images: str) -> set[str]:
    return {shared_engine().gallery().entry(image).sha256 for image in images}


def shown(app: AppTest) -> list[str]:
    return [tile.name for tile in tiles_of(app, "gallery")]


def chosen(app: AppTest) -> list[str]:
    return [tile.name for tile in tiles_of(app, "gallery") if "select" in tile.pressed]


def add_selected(app: AppTest, name: str) -> None:
    """Add the selected pictures to a new album. AppTest cannot type an option of its own: it exists already."""
    albums().add(name, [])
    app.run()
    field_to_add(app).set_value(name)
    press(app, "Add")


def album_field(app: AppTest) -> Any:
    return next(widget for widget in app.selectbox if widget.label == "Album" and "to add" not in widget.key)


def field_to_add(app: AppTest) -> Any:
    return next(widget for widget in app.selectbox if widget.key.startswith("album to add to"))


def test_pictures_are_selected_on_several_pages_and_the_selection_is_cleared(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("boxfind.ui.gallery.browse.PER_PAGE", 6)
    page.run()
    pick(page, "gallery", "select", "01.png")
    page.get("pagination")[0].set_value(2).run()
    pick(page, "gallery", "select", "08.png")
    pick(page, "gallery", "select", "09.png")
    pick(page, "gallery", "select", "09.png")
    assert chosen(page) == ["08.png"] and "2 selected" in buttons(page)
    page.switch_page("pages/search.py").run()
    page.switch_page("pages/gallery.py").run()
    assert "2 selected" in buttons(page)
    press(page, "Select all")
    assert "12 selected" in buttons(page)
    press(page, "12 selected")
    assert calm(page) and chosen(page) == [] and "12 pictures" in texts(page, "caption")


def test_visitors_look_at_albums_but_cannot_change_them(page: AppTest) -> None:
    albums().add("Two", contents("01.png", "02.png"))
    page.run()
    album_field(page).select("Two").run()
    assert shown(page) == ["01.png", "02.png"] and "2 of 12 pictures" in texts(page, "caption")
    pick(page, "gallery", "select", "01.png")
    assert not {"Add", "Remove", "Rename", "Delete album"} & set(buttons(page))
    pick(page, "gallery", "open", "01.png")
    assert calm(page) and "In the albums: Two" in texts(page, "caption") and not page.multiselect


def test_an_album_is_made_filled_emptied_renamed_and_deleted(admins_page: AppTest) -> None:
    page = admins_page
    for image in ("01.png", "02.png", "03.png"):
        pick(page, "gallery", "select", image)
    add_selected(page, "Two")
    assert calm(page) and "Added 3 pictures to Two" in texts(page, "toast") and chosen(page) == []
    album_field(page).select("Two").run()
    pick(page, "gallery", "select", "03.png")
    press(page, "Remove")
    assert shown(page) == ["01.png", "02.png"] and albums().get("Two").pictures == contents("01.png", "02.png")
    page.text_input(key="new name of album Two").input(" Three ")
    press(page, "Rename")
    assert calm(page) and albums().names() == ["Three"] and shown(page) == ["01.png", "02.png"]
    press(page, "Delete album")
    assert calm(page) and albums().names() == [] and len(shown(page)) == 12


def test_a_name_that_is_taken_is_refused_and_nothing_changes(admins_page: AppTest) -> None:
    page = admins_page
    albums().add("One", [])
    albums().add("Two", contents("01.png"))
    page.run()
    album_field(page).select("Two").run()
    page.text_input(key="new name of album Two").input("One")
    press(page, "Rename")
    assert "already exists" in texts(page, "toast") and albums().names() == ["One", "Two"] and shown(page) == ["01.png"]


def test_someone_who_is_no_administrator_any_more_changes_nothing(
    admins_page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = admins_page
    pick(page, "gallery", "select", "01.png")
    albums().add("Mine", [])
    page.run()
    field_to_add(page).set_value("Mine")
    monkeypatch.setattr("boxfind.ui.authorization.admin_name", lambda *_: None)
    press(page, "Add")
    assert calm(page) and "Only an administrator" in texts(page, "toast") and not albums().get("Mine").pictures


def test_the_closer_view_changes_the_albums_of_its_picture(admins_page: AppTest) -> None:
    page = admins_page
    albums().add("One", contents("01.png", "02.png"))
    albums().add("Two", [])
    pick(page, "gallery", "open", "01.png")
    (field,) = page.multiselect
    assert field.value == ["One"] and field.options == ["One", "Two"]
    page.session_state["dialog requested"] = True
    field.set_value(["Two"]).run()
    assert calm(page) and albums().get("One").pictures == contents("02.png")
    assert albums().get("Two").pictures == contents("01.png")
    press_in_dialog(page, "Next")
    assert page.multiselect[0].value == ["One"]


def test_albums_that_cannot_be_read_do_not_hide_the_gallery(page: AppTest, searches_file: Path) -> None:
    searches_file.write_bytes(b"no database" * 100)
    page.run()
    assert calm(page) and len(shown(page)) == 12


def test_while_the_albums_are_locked_the_page_says_so(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    albums().add("Two", contents("01.png", "02.png"))
    page.run()
    album_field(page).select("Two").run()

    def locked(*_: object) -> None:
        raise SavedSearchesProblem("The file is being used by another program.")

    monkeypatch.setattr(Database, "read", locked)
    page.run()
    assert calm(page) and shown(page) == [] and "being used by another program" in texts(page, "caption")
