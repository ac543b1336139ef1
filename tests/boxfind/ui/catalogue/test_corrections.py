"""Administrators correct the groups of the Catalogue page, run without a browser."""

import logging
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from boxfind.searches.group_corrections import GroupCorrections
from boxfind.searches.group_names import GroupNames
from tests.boxfind.ui.catalogue.acting import CUPS, HATS, open_buttons, open_group_of
from tests.boxfind.ui.reading import alts, buttons, pick, press, texts, tiles_of

NOBODY = dict.fromkeys(("local", "nobody", "login", "header"), lambda *_: None)
CONTROLS = {"Merge with…", "Move to group…", "Not this", "Undo", "Merge them", "Make the group"}


def shown(page: AppTest, grid: str = "group") -> set[str]:
    return {tile.name for tile in tiles_of(page, grid)}


def choose_group(page: AppTest, title: str) -> None:
    """Choose a group in the dialog by the start of its title."""
    name = next(tile.name for tile in tiles_of(page, "choose group") if tile.title.startswith(title))
    pick(page, "choose group", "choose", name)


def name_group(page: AppTest, name: str) -> None:
    page.text_input[0].set_value(name).run()


def test_a_picture_is_taken_out_and_put_back_by_undo(page: AppTest) -> None:
    open_group_of(page, CUPS)
    best = tiles_of(page, "group")[0].name  # the page recognises the open group by this one
    pick(page, "group", "not this", best)
    assert shown(page) == CUPS - {best} and "1 picture removed from Group" in texts(page, "toast")
    press(page, "Undo")
    assert shown(page) == CUPS and "Undone" in texts(page, "toast") and "Undo" not in buttons(page)


def test_a_picture_is_moved_to_another_group(page: AppTest) -> None:
    open_group_of(page, HATS)
    name_group(page, "Hats")
    press(page, "All groups")
    open_group_of(page, CUPS)
    pick(page, "group", "move", "cup-2.png")
    choose_group(page, "Hats, 3 pictures")
    assert shown(page) == CUPS - {"cup-2.png"} and not tiles_of(page, "choose group")
    press(page, "All groups")
    open_group_of(page, HATS | {"cup-2.png"})
    assert "Hats" in texts(page, "subheader") and "cup-2.png, outlier" not in alts(page, "group")


def test_groups_are_merged_under_the_name_of_the_chosen_one_and_undo_restores_both(
    page: AppTest, tmp_path: Path
) -> None:
    for images, name in ((HATS, "Hats"), (CUPS, "Cups")):
        open_group_of(page, images)
        name_group(page, name)
        press(page, "All groups")
    open_group_of(page, CUPS)
    press(page, "Merge with…")
    assert not any(tile.title.startswith("Cups") for tile in tiles_of(page, "choose group"))
    choose_group(page, "Hats")
    assert shown(page) == CUPS | HATS and "Hats" in texts(page, "subheader")
    assert [name.name for name in GroupNames(tmp_path / "searches.sqlite").all()] == ["Hats"]
    press(page, "Undo")
    assert shown(page) == CUPS and "Cups" in texts(page, "subheader")


def test_undo_says_that_a_newer_name_stays(page: AppTest, tmp_path: Path) -> None:
    open_group_of(page, CUPS)
    name_group(page, "Cups")
    pick(page, "group", "not this", "cup-1.png")
    name_group(page, "Mugs")
    press(page, "Undo")
    assert "stays as it is" in texts(page, "toast") and shown(page) == CUPS
    assert [name.name for name in GroupNames(tmp_path / "searches.sqlite").all()] == ["Mugs"]


def test_selected_pictures_make_a_new_group(page: AppTest) -> None:
    chosen = {"cup-0.png", "cup-3.png"}
    open_group_of(page, CUPS)
    for image in sorted(chosen):
        pick(page, "group", "select", image)
    assert "2 selected" in texts(page, "markdown")
    assert {tile.name for tile in tiles_of(page, "group") if tile.pressed == ("select",)} == chosen
    next(field for field in page.text_input if field.label == "Name (optional)").set_value("Tall cups")
    press(page, "Make the group")
    assert shown(page) == CUPS - chosen and "selected" not in texts(page, "markdown")
    press(page, "All groups")
    open_group_of(page, chosen)
    assert "Tall cups" in texts(page, "subheader")


def test_selected_pictures_are_taken_out_together_and_the_selection_can_be_cleared(page: AppTest) -> None:
    open_group_of(page, CUPS)
    pick(page, "group", "select", "cup-0.png")
    press(page, "Clear")
    assert "Merge with…" in buttons(page)
    for image in ("cup-1.png", "cup-2.png", "cup-1.png", "cup-3.png"):
        pick(page, "group", "select", image)
    press(page, "Not this")
    assert shown(page) == CUPS - {"cup-2.png", "cup-3.png"}


def test_at_least_one_picture_is_left_in_a_group(page: AppTest, tmp_path: Path) -> None:
    open_group_of(page, HATS)
    for image in HATS:
        pick(page, "group", "select", image)
    press(page, "Not this")
    assert "Leave at least one" in texts(page, "toast") and shown(page) == HATS
    assert GroupCorrections(tmp_path / "searches.sqlite").last() is None


def test_an_ungrouped_picture_is_moved_to_a_group(page: AppTest) -> None:
    page.session_state["catalogue tab"] = "Ungrouped"
    page.run()
    image = tiles_of(page, "ungrouped")[0].name
    pick(page, "ungrouped", "move", image)
    pick(page, "choose group", "choose", tiles_of(page, "choose group")[0].name)
    assert image not in shown(page, "ungrouped") and "1 picture moved to" in texts(page, "toast")


def test_groups_of_one_name_are_offered_to_be_merged(page: AppTest) -> None:
    for images, name in ((HATS, "Things"), (CUPS, "things")):
        open_group_of(page, images)
        name_group(page, name)
        press(page, "All groups")
    assert "2 groups are named **things**" in texts(page, "markdown")
    press(page, "Merge them")
    assert "Merge them" not in buttons(page)
    open_group_of(page, CUPS | HATS)


def test_a_correction_that_overrules_another_says_so(page: AppTest) -> None:
    open_group_of(page, CUPS)
    press(page, "Merge with…")
    pick(page, "choose group", "choose", tiles_of(page, "choose group")[0].name)
    assert "earlier correction" not in texts(page, "toast")
    pick(page, "group", "not this", "cup-1.png")
    assert "An earlier correction said otherwise" in texts(page, "toast") and "cup-1.png" not in shown(page)


def test_undo_of_what_somebody_else_has_corrected_meanwhile_changes_nothing(page: AppTest, tmp_path: Path) -> None:
    open_group_of(page, CUPS)
    pick(page, "group", "not this", "cup-1.png")
    store = GroupCorrections(tmp_path / "searches.sqlite")
    store.add("another", store.until(store.last())[0])
    press(page, "Undo")
    assert "nothing was undone" in texts(page, "toast") and "cup-1.png" not in shown(page)


def test_visitors_see_corrected_groups_but_no_controls(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    open_group_of(page, CUPS)
    pick(page, "group", "not this", "cup-1.png")
    monkeypatch.setattr("boxfind.ui.authorization.ADMINS", NOBODY)
    page.run()
    assert shown(page) == CUPS - {"cup-1.png"} and not CONTROLS & set(buttons(page))
    pick(page, "group", "not this", "cup-2.png")
    assert shown(page) == CUPS - {"cup-1.png"}


def test_corrections_check_the_administrator_again(
    page: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    open_group_of(page, CUPS)
    monkeypatch.setattr("boxfind.ui.authorization.ADMINS", NOBODY)
    monkeypatch.setattr("boxfind.ui.catalogue.selection.is_admin", lambda: True)
    with caplog.at_level(logging.WARNING):
        pick(page, "group", "not this", "cup-2.png")
    assert shown(page) == CUPS and "Refused an administrator action" in caplog.text
    assert GroupCorrections(tmp_path / "searches.sqlite").last() is None


def test_corrections_that_cannot_be_read_are_reported(page: AppTest, tmp_path: Path) -> None:
    (tmp_path / "searches.sqlite").mkdir()
    page.run()
    assert "Corrections of groups are missing" in texts(page, "warning") and open_buttons(page)
