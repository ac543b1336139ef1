"""The Gallery page, run without a browser."""

import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from boxfind.ui.gallery.picture_dialog import region_groups
from boxfind.ui.original_file import facts
from index.building.build import build
from index.building.decoder_pool import DecoderPool
from index.building.thread_executor import ThreadExecutor
from index.groups import duplicates
from index.storage.tables import ImageEntry
from retrieval.descriptors.embedder import Embedder
from retrieval.regions.find_regions import find_regions
from retrieval.types import Box
from tests.boxfind.ui.reading import buttons, calm, pick, press_in_dialog, tell_view, texts, tiles_of, view_of

NAMES = ["cups/blue.png", "cups/old/red.png", "cups/old/red again.png", "hall.png", "yard.png", "yard_dusk.png"]
DAY = 86400


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, draw: Any) -> Path:
    """Six pictures: the first by name is the oldest, hall the largest, red a duplicate and yard a near-duplicate."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "cups" / "old").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        Pillow.fromarray(draw(number, *(640, 480) if name == "hall.png" else (320, 240))).save(folder / name)
    shutil.copy(folder / "cups/old/red.png", folder / "cups/old/red again.png")
    yard = np.asarray(Pillow.open(folder / "yard.png"))
    Pillow.fromarray((yard * 0.99).astype(np.uint8)).save(folder / "yard_dusk.png")
    for number, name in enumerate(NAMES):
        os.utime(folder / name, (1_700_000_000 + number * DAY,) * 2)
    return folder


@pytest.fixture(scope="module")
def index(folder: Path, tmp_path_factory: pytest.TempPathFactory, tiny_embedder: Embedder, pool: DecoderPool) -> Path:
    index = tmp_path_factory.mktemp("index")
    build(folder, index, ThreadExecutor(tiny_embedder, pool), lambda *_: None)
    return index


@pytest.fixture
def page(app: AppTest, folder: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The Gallery page of a visitor."""
    monkeypatch.setenv("BOXFIND_GALLERY", str(folder))
    monkeypatch.setenv("BOXFIND_INDEX", str(index))
    app.run()
    app.switch_page("pages/gallery.py").run()
    assert calm(app)
    yield app
    assert calm(app)


def names(app: AppTest, key: str = "gallery") -> list[str]:
    return [tile.name for tile in tiles_of(app, key)]


def dialog_says(app: AppTest) -> str:
    return texts(app, "markdown").replace("\\", "")


def test_every_picture_is_listed_with_its_name_and_thumbnail(page: AppTest) -> None:
    assert names(page) == sorted(NAMES)
    assert "6 pictures" in texts(page, "caption")
    for tile in tiles_of(page, "gallery"):
        assert tile.title == tile.alt == tile.name and tile.picture.startswith(b"\xff\xd8")
    assert "Previous" not in buttons(page)


def test_pages_can_be_opened_by_address(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boxfind.ui.gallery.browse.PER_PAGE", 4)
    page.run()
    assert names(page) == sorted(NAMES)[:4]
    page.get("pagination")[0].set_value(2).run()
    assert names(page) == sorted(NAMES)[4:]
    page.switch_page("pages/search.py").run()
    page.query_params = {"gallery page": "2", "gallery order": "Newest first"}
    page.switch_page("pages/gallery.py").run()
    assert names(page) == NAMES[1::-1]


@pytest.mark.parametrize(
    ("order", "first"),
    [("By name", sorted(NAMES)[0]), ("Newest first", NAMES[-1]), ("Largest first", "hall.png")],
)
def test_each_order_has_its_own_first_picture(page: AppTest, order: str, first: str) -> None:
    page.selectbox(key="gallery order").select(order).run()
    assert names(page)[0] == first
    assert sorted(names(page)) == sorted(NAMES)


def test_newest_first_reverses_the_file_times(page: AppTest) -> None:
    page.selectbox(key="gallery order").select("Newest first").run()
    assert names(page) == NAMES[::-1]


def test_choosing_a_folder_shows_the_first_page_of_its_pictures(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boxfind.ui.gallery.browse.PER_PAGE", 2)
    page.run()
    page.get("pagination")[0].set_value(3).run()
    page.selectbox(key="gallery folder").select("cups").run()
    assert names(page) == ["cups/blue.png", "cups/old/red again.png"]
    assert "3 of 6 pictures" in texts(page, "caption")
    page.selectbox(key="gallery folder").select("cups/old").run()
    assert names(page) == ["cups/old/red again.png", "cups/old/red.png"]
    assert page.selectbox(key="gallery folder").options == ["All folders", "cups", "cups/old"]
    page.switch_page("pages/search.py").run()
    page.query_params.clear()
    page.switch_page("pages/gallery.py").run()
    assert names(page) == ["cups/old/red again.png", "cups/old/red.png"]


@pytest.mark.parametrize(
    "params",
    [{"gallery page": "99"}, {"gallery page": "x"}, {"gallery folder": "../.."}, {"gallery order": "<b>"}],
)
def test_r26_invalid_query_parameters_show_the_first_page(
    page: AppTest, params: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("boxfind.ui.gallery.browse.PER_PAGE", 4)
    page.switch_page("pages/search.py").run()
    page.query_params = params
    page.switch_page("pages/gallery.py").run()
    assert names(page) == sorted(NAMES)[:4]


def test_the_dialog_shows_facts_and_steps_through_the_pictures(page: AppTest) -> None:
    pick(page, "gallery", "open", "hall.png")
    assert "4 of 6** · hall.png" in dialog_says(page)
    assert "640 x 480 pixels" in texts(page, "caption")
    assert view_of(page)["alt"] == "hall.png" and view_of(page)["size"] == [640, 480]
    press_in_dialog(page, "Next")
    assert "5 of 6** · yard.png" in dialog_says(page)
    press_in_dialog(page, "Previous")
    press_in_dialog(page, "Previous")
    assert "3 of 6** · cups/old/red.png" in dialog_says(page)


def test_the_dialog_follows_the_chosen_order_across_pages(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boxfind.ui.gallery.browse.PER_PAGE", 2)
    page.selectbox(key="gallery order").select("Newest first").run()
    pick(page, "gallery", "open", NAMES[-2])
    press_in_dialog(page, "Next")
    assert f"3 of 6** · {NAMES[-3]}" in dialog_says(page)


def test_a_closed_dialog_does_not_reopen(page: AppTest) -> None:
    pick(page, "gallery", "open", "hall.png")
    assert "Next" in buttons(page)
    page.run()  # as after closing it in the browser, reported or not
    assert "Next" not in buttons(page)


def test_previous_and_next_are_disabled_at_the_ends(page: AppTest) -> None:
    pick(page, "gallery", "open", sorted(NAMES)[0])
    off = {button.label: button.disabled for button in page.button}
    assert off["Previous"] and not off["Next"]
    pick(page, "gallery", "open", sorted(NAMES)[-1])
    off = {button.label: button.disabled for button in page.button}
    assert off["Next"] and not off["Previous"]


def test_regions_are_drawn_by_kind(page: AppTest) -> None:
    pick(page, "gallery", "open", "hall.png")
    choice = page.selectbox(key="regions shown")
    assert choice.options == ["No regions outlined", "Whole (1)", "Grid, level 1 (2)", "Grid, level 2 (6)"]
    before = view_of(page)
    page.session_state["dialog requested"] = True
    choice.select("Grid, level 2 (6)").run()
    assert not before["outlines"] and len(view_of(page)["outlines"]) == 6
    assert view_of(page)["address"] == before["address"]  # the picture is not encoded again


def test_an_outlined_region_can_be_searched_with(page: AppTest) -> None:
    pick(page, "gallery", "open", "hall.png")
    page.session_state["dialog requested"] = True
    page.selectbox(key="regions shown").select("Whole (1)").run()
    page.session_state["dialog requested"] = True
    tell_view(page, "chosen", 1)  # there is no such outline
    assert "Gallery" in texts(page, "header")
    page.session_state["dialog requested"] = True
    page.run()
    tell_view(page, "chosen", 0)
    assert page.session_state["search"].boxes == [Box(0, 0, 640, 480)]


def test_the_view_steps_to_the_neighbours_but_not_beyond(page: AppTest) -> None:
    pick(page, "gallery", "open", "yard.png")
    for step, name in ((1, "yard_dusk.png"), (1, "yard_dusk.png"), (7, "yard_dusk.png"), (-1, "yard.png")):
        page.session_state["dialog requested"] = True
        tell_view(page, "step", step)
        assert view_of(page)["picture"] == name


def test_an_enlarged_picture_gets_more_pixels(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boxfind.ui.gallery_view.SIDE", 200)
    pick(page, "gallery", "open", "hall.png")
    before = view_of(page)
    page.session_state["dialog requested"] = True
    tell_view(page, "sharper", True)
    after = view_of(page)
    assert before["sharper"] and not after["sharper"] and before["address"] != after["address"]


@pytest.mark.parametrize("from_dialog", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_a_picture_can_be_sent_to_search(page: AppTest, whole: bool, from_dialog: bool) -> None:
    page.switch_page("pages/search.py").run()
    page.query_params = {"gallery order": "Largest first"}
    page.switch_page("pages/gallery.py").run()
    if from_dialog:
        pick(page, "gallery", "open", "hall.png")
        page.session_state["dialog requested"] = True
        page.menu_button(key="search from here").click("The whole picture" if whole else "A box that you draw").run()
    else:
        pick(page, "gallery", "whole" if whole else "object", "hall.png")
    assert "Find an object" in texts(page, "header")
    state = page.session_state["search"]
    assert state.pictures[state.shown].name == "hall.png"
    assert state.boxes == ([Box(0, 0, 640, 480)] if whole else [])
    page.switch_page("pages/gallery.py").run()
    assert "Next" not in buttons(page)


def test_a_picture_without_its_file_can_be_viewed_and_searched_with_as_a_thumbnail(page: AppTest, folder: Path) -> None:
    (folder / "yard.png").rename(folder / "elsewhere")
    try:
        pick(page, "gallery", "open", "yard.png")
        assert "cannot be opened" in texts(page, "caption")
        assert view_of(page)["alt"] == "yard.png"
        pick(page, "gallery", "object", "yard.png")
        said = texts(page, "caption").replace("\\", "")
        assert "yard.png cannot be opened" in said and "Searching with the thumbnail" in said
        assert "yard.png, 320 x 240 pixels" in said and str(folder) not in said
        assert "Find an object" in texts(page, "header")
    finally:
        (folder / "elsewhere").rename(folder / "yard.png")
    page.switch_page("pages/search.py").run()
    assert calm(page) and "Searching with the thumbnail" not in texts(page, "caption")
    state = page.session_state["search"]
    assert state.pictures[state.shown].size is None


def to_duplicates(page: AppTest) -> None:
    page.session_state["gallery tab"] = "Duplicates"
    page.run()


def test_duplicates_are_listed_and_can_be_opened(page: AppTest) -> None:
    to_duplicates(page)
    assert names(page, "identical files 0") == ["cups/old/red again.png", "cups/old/red.png"]
    assert names(page, "near-duplicates 0") == ["yard.png", "yard_dusk.png"]
    assert not names(page, "identical files 1") and not names(page, "near-duplicates 1") and not names(page)
    assert "2 identical files" in texts(page, "caption") and "nothing is deleted" in texts(page, "caption")
    pick(page, "near-duplicates 0", "open", "yard.png")
    assert "3 of 4** · yard.png" in dialog_says(page)


def test_with_too_many_pictures_only_identical_files_are_listed(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "MOST", 4)
    to_duplicates(page)
    assert names(page, "identical files 0") and "5 different pictures" in texts(page, "info")


def test_without_duplicates_the_page_says_so(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boxfind.ui.gallery.duplicates_view.identical", lambda _: [])
    monkeypatch.setattr("boxfind.ui.gallery.duplicates_view.near_identical", lambda _: [])
    to_duplicates(page)
    assert "There are no identical files" in texts(page, "text")
    assert "There are no near-duplicates" in texts(page, "text")


def test_duplicate_groups_are_paged_and_huge_ones_cut(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "boxfind.ui.gallery.duplicates_view.identical", lambda _: [[NAMES[0], NAMES[3], NAMES[4]], NAMES[1:3]]
    )
    monkeypatch.setattr("boxfind.ui.gallery.duplicates_view.GROUPS_PER_PAGE", 1)
    monkeypatch.setattr("boxfind.ui.gallery.duplicates_view.MOST_OF_A_GROUP", 2)
    to_duplicates(page)
    assert names(page, "identical files 0") == [NAMES[0], NAMES[3]]
    assert "3 identical files, the first 2 shown" in texts(page, "caption")
    next(widget for widget in page.get("pagination") if widget.key == "identical files page").set_value(2).run()
    assert names(page, "identical files 0") == NAMES[1:3]


@pytest.mark.parametrize("size", [(640, 480), (300, 900), (512, 512), (101, 77)])
def test_every_region_is_in_one_group_and_a_level_has_boxes_of_one_size(size: tuple[int, int]) -> None:
    regions = find_regions(np.zeros((1, 1, 3), np.uint8), size, ("whole", "grid"), 4, {})
    groups = region_groups(regions, *size)
    assert sorted(map(str, (box for boxes in groups.values() for box in boxes))) == sorted(
        str(region.box) for region in regions
    )
    levels = [boxes for name, boxes in groups.items() if "level" in name]
    first = 2 if size[0] == size[1] else 1  # level 1 of a square picture is the whole picture
    assert len(levels) == 5 - first and list(groups)[1].startswith(f"Grid, level {first} (")
    for boxes in levels:
        assert np.ptp([box.height for box in boxes]) <= 1
    assert [boxes[0].height for boxes in levels] == sorted((boxes[0].height for boxes in levels), reverse=True)


def test_facts_contain_no_absolute_path() -> None:
    entry = ImageEntry("cups/old/red.png", b"cups/old/red.png", 320, 240, 2_345_678, 1_700_000_000.0, "0" * 64)
    day = datetime.fromtimestamp(1_700_000_000).astimezone()
    assert facts(entry) == f"320 x 240 pixels, 2.3 MB, modified on {day:%d %B %Y}, in the folder cups/old"
    inside = ImageEntry("red.png", b"red.png", 320, 240, 5_400, 1_700_000_000.0, "0" * 64)
    assert "5 kB" in facts(inside) and facts(inside).endswith("in the gallery folder")


def test_r60_the_page_says_how_many_pictures_are_not_read(
    app: AppTest,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiny_embedder: Embedder,
    pool: DecoderPool,
) -> None:
    phone = shutil.copytree(folder / "cups", tmp_path / "phone")
    (phone / "1.psd").write_bytes(b"8BPS")
    (phone / "2.svg").write_bytes(b"<svg/>")
    (phone / "empty.jpg").touch()
    build(phone, tmp_path / "index", ThreadExecutor(tiny_embedder, pool), lambda *_: None)
    monkeypatch.setenv("BOXFIND_GALLERY", str(phone))
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path / "index"))
    app.run()
    app.switch_page("pages/gallery.py").run()
    assert calm(app)
    said = texts(app, "caption").replace("\\", "")
    assert (
        "pictures in formats that Boxfind cannot read yet (1 Photoshop, 1 SVG; convert them to JPEG) and 1 other file. "
        "*3 files skipped* in the sidebar lists them with the reasons."
    ) in said
    assert "3 files skipped" in buttons(app)


@pytest.mark.parametrize("link", [False, True])
def test_r64_a_replaced_file_is_not_shown_in_place_of_the_indexed_picture(
    page: AppTest, folder: Path, tmp_path: Path, draw: Any, link: bool
) -> None:
    """Neither another picture of the same name nor a link to a picture outside the gallery."""
    other = tmp_path / "private.png"
    Pillow.fromarray(draw(99, 320, 240)).save(other)
    (folder / "yard.png").rename(folder / "elsewhere")
    try:
        if link:
            (folder / "yard.png").symlink_to(other)
        else:
            shutil.copy(other, folder / "yard.png")
        pick(page, "gallery", "open", "yard.png")
        said = texts(page, "caption").replace("\\", "")
        assert ("a link out of the gallery" if link else "has changed since it was indexed") in said
        assert "This is the thumbnail from the index" in said and str(tmp_path) not in said
        pick(page, "gallery", "object", "yard.png")
        said = texts(page, "caption").replace("\\", "")
        assert "Searching with the thumbnail" in said and str(tmp_path) not in said
    finally:
        (folder / "yard.png").unlink()
        (folder / "elsewhere").rename(folder / "yard.png")
