"""The Catalogue page, run without a browser."""

import hashlib
import shutil
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from boxfind.searches.group_names import GroupNames
from index.building.build import build
from index.building.decoder_pool import DecoderPool
from index.building.thread_executor import ThreadExecutor
from retrieval.descriptors.embedder import Embedder
from retrieval.errors import IndexProblem
from retrieval.types import Box, quiet
from tests.boxfind.ui.catalogue.acting import CUPS, HATS, open_buttons, open_group_of
from tests.boxfind.ui.reading import buttons, pick, press, texts, tiles_of


def test_groups_are_cards_with_picture_count_and_name_field(page: AppTest) -> None:
    counts = [int(button.label.partition(" ")[0]) for button in open_buttons(page)]
    assert counts == sorted(counts, reverse=True) and min(counts) >= 3
    assert len(page.get("image")) == len(counts) == len(page.text_input)
    assert f"{len(counts)} groups" in texts(page, "caption")


def test_an_opened_group_shows_its_pictures_with_outlines(page: AppTest) -> None:
    open_group_of(page, CUPS)
    tiles = tiles_of(page, "group")
    assert all(len(tile.outlines) == 1 for tile in tiles) and "5 pictures, most typical first" in texts(page, "caption")
    press(page, "All groups")
    assert not tiles_of(page, "group") and open_buttons(page)


def test_a_name_is_kept_shown_and_can_be_removed(page: AppTest, folder: Path, tmp_path: Path) -> None:
    open_group_of(page, HATS)
    page.text_input[0].set_value(" Straw *hats* ").run()
    (label,) = GroupNames(tmp_path / "searches.sqlite").all()
    contents = {hashlib.sha256((folder / image).read_bytes()).hexdigest() for image in HATS}
    assert label.name == "Straw *hats*" and set(label.places) == contents
    assert "Straw \\*hats\\*" in texts(page, "subheader") and page.text_input[0].value.strip() == "Straw *hats*"
    press(page, "All groups")
    assert [field.value.strip() for field in page.text_input].count("Straw *hats*") == 1
    next(field for field in page.text_input if field.value).set_value("").run()
    assert GroupNames(tmp_path / "searches.sqlite").all() == []


def test_the_name_stays_with_its_pictures_for_every_grouping(page: AppTest) -> None:
    open_group_of(page, HATS)
    page.text_input[0].set_value("Hats").run()
    page.selectbox(key="likeness").select("Medium").run()
    assert "Hats" in [field.value for field in page.text_input]


def test_names_of_earlier_versions_are_kept(page: AppTest, tmp_path: Path) -> None:
    GroupNames(tmp_path / "searches.sqlite").give("Old hats", dict.fromkeys(HATS, Box(0, 0, 320, 240)))
    page.run()
    open_group_of(page, HATS)
    assert "Old hats" in texts(page, "subheader")


def test_names_stay_when_the_folder_of_their_pictures_is_renamed(
    page: AppTest,
    folder: Path,
    index: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiny_embedder: Embedder,
    pool: DecoderPool,
) -> None:
    open_group_of(page, CUPS)
    page.text_input[0].set_value("Cups").run()
    gallery, copy = tmp_path / "gallery", shutil.copytree(index, tmp_path / "index")
    shutil.copytree(folder, gallery / "a new folder")
    monkeypatch.setenv("BOXFIND_GALLERY", str(gallery))
    monkeypatch.setenv("BOXFIND_INDEX", str(copy))
    build(gallery, copy, ThreadExecutor(tiny_embedder, pool), quiet)
    st.cache_resource.clear()
    page.run()
    open_group_of(page, {f"a new folder/{name}" for name in CUPS})
    assert "Cups" in [field.value for field in page.text_input]


def test_a_rejected_name_shows_a_message_and_changes_nothing(page: AppTest, tmp_path: Path) -> None:
    open_group_of(page, HATS)
    page.text_input[0].set_value("two\u2028lines").run()
    assert "unprintable characters" in texts(page, "toast") and GroupNames(tmp_path / "searches.sqlite").all() == []


def test_visitors_see_names_but_cannot_edit_them(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    open_group_of(page, HATS)
    page.text_input[0].set_value("Hats").run()
    press(page, "All groups")
    monkeypatch.setattr("boxfind.ui.catalogue.group_names.is_admin", lambda: False)
    page.run()
    assert not page.text_input and "**Hats**" in texts(page, "markdown")


def test_naming_checks_the_administrator_again(page: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXFIND_ADMIN", "nobody")
    monkeypatch.setattr("boxfind.ui.catalogue.group_names.is_admin", lambda: True)
    monkeypatch.setattr(
        "boxfind.ui.authorization.ADMINS", dict.fromkeys(("local", "nobody", "login", "header"), lambda *_: None)
    )
    page.text_input[0].set_value("Mine").run()
    assert GroupNames(tmp_path / "searches.sqlite").all() == []


def test_a_member_can_be_opened_and_searched_with_its_box(page: AppTest) -> None:
    open_group_of(page, CUPS)
    tile = tiles_of(page, "group")[1]
    pick(page, "group", "open", tile.name)
    assert f"2 of 5** · {tile.name}" in texts(page, "markdown").replace("\\", "")
    press(page, "Next")
    pick(page, "group", "object", tile.name)
    assert "Find an object" in texts(page, "header")
    state = page.session_state["search"]
    assert state.pictures[state.shown].name == tile.name and state.boxes == list(tile.outlines)


def test_the_whole_picture_of_a_member_can_be_searched_with(page: AppTest) -> None:
    open_group_of(page, CUPS)
    pick(page, "group", "whole", "cup-1.png")
    state = page.session_state["search"]
    assert [box.xywh for box in state.boxes] == [(0, 0, 320, 240)]


def test_ungrouped_pictures_are_listed(page: AppTest) -> None:
    page.session_state["catalogue tab"] = "Ungrouped"
    page.run()
    alone = {tile.name for tile in tiles_of(page, "ungrouped")}
    assert not alone & (CUPS | HATS)
    assert f"{len(alone)} ungrouped" in texts(page, "caption")


def test_groups_are_paged(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    every = [button.label for button in open_buttons(page)]
    monkeypatch.setattr("boxfind.ui.catalogue.view.CARDS_PER_PAGE", 1)
    page.run()
    assert [button.label for button in open_buttons(page)] == every[:1]
    page.get("pagination")[0].set_value(2).run()
    assert [button.label for button in open_buttons(page)] == every[1:2]


def test_a_missing_index_is_reported(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise IndexProblem("The index has been rebuilt since.")

    monkeypatch.setattr("boxfind.ui.catalogue.view.group_gallery", gone)
    page.selectbox(key="likeness").select("Strict").run()
    assert "rebuilt since" in texts(page, "error") and "Export" not in buttons(page)
