"""A browser story of collections: add a folder, switch, search in all, go back, rename and remove."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image as Pillow
from playwright.sync_api import Browser, Page, expect

from tests.browser.acting import LAPTOP, PICTURES, alts, drag, serious, settle, shown_boxes
from tests.browser.conftest import at_home, new_page, serving
from tests.tiny import draw_picture

WIDTH, HEIGHT = 320, 240
TILES = re.compile(r"^Rank \d+: ")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, networks: Path) -> Path:
    """A folder with two galleries of eight pictures; 3.png is in both."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "data").mkdir()
    (folder / "data" / "networks").symlink_to(networks)
    for name, first in (("first", 0), ("holiday", 3)):
        (folder / name).mkdir()
        for seed in range(first, first + 8):
            Pillow.fromarray(draw_picture(seed, WIDTH, HEIGHT)).save(folder / name / f"{seed}.png")
    return folder


@pytest.fixture(scope="module")
def own_address(home: Path) -> Iterator[str]:
    with serving(at_home(home, "first"), home) as address:
        yield address


@pytest.fixture
def admin(browser: Browser, own_address: str) -> Iterator[Page]:
    visitor = new_page(browser, viewport=LAPTOP)
    visitor.goto(own_address)
    visitor.get_by_role("heading", name="Find an object").wait_for()  # includes the first build
    yield visitor
    visitor.close()


def choose(page: Page, name: str) -> None:
    """Choose a collection in the sidebar, which is opened for that."""
    expand = page.get_by_test_id("stExpandSidebarButton")
    if expand.is_visible():
        expand.click()
        page.wait_for_timeout(1000)  # until it has moved in
    page.get_by_role("combobox", name="Collection").click()
    page.get_by_role("option", name=name, exact=True).click()
    settle(page)


def tiles(page: Page) -> list[str]:
    """The alternative texts of all results."""
    page.get_by_role("img", name=TILES).first.wait_for()
    settle(page)
    return alts(page.get_by_role("img", name=TILES))


def test_a_folder_is_added_and_collections_are_switched_and_searched_together(admin: Page, home: Path) -> None:
    expect(admin).not_to_have_url(re.compile("collection="))  # there is only one
    admin.goto(f"{admin.url.partition('?')[0]}collections")
    field = admin.get_by_role("textbox", name="Folder", exact=True)
    field.fill(str(home / "holiday"))
    field.press("Enter")
    admin.get_by_text("8 pictures directly in holiday").wait_for()
    settle(admin)
    admin.screenshot(path=PICTURES / "collections.png")
    assert serious(admin) == []
    admin.get_by_role("button", name="Add this folder").click()
    dialog = admin.get_by_role("dialog")
    dialog.get_by_text("8 files").wait_for()
    dialog.get_by_role("textbox", name="Name").fill("Holiday 2026")
    dialog.get_by_role("textbox", name="Name").press("Tab")
    settle(admin)
    dialog.get_by_role("button", name="Add and start").click()
    admin.wait_for_url(re.compile("collection=Holiday"))
    admin.get_by_role("heading", name="Find an object").wait_for()  # includes its first build

    admin.locator("input[type=file]").set_input_files(home / "holiday" / "3.png")
    admin.get_by_text(f"3.png, {WIDTH} x {HEIGHT} pixels").wait_for()
    drag(admin, (40, 30, 200, 160), WIDTH)
    assert len(tiles(admin)) == 8
    boxes = shown_boxes(admin)

    choose(admin, "first")
    expect(admin).to_have_url(re.compile("collection=default"))
    assert len(tiles(admin)) == 8 and shown_boxes(admin) == boxes  # the query goes along
    choose(admin, "All collections")
    expect(admin).to_have_url(re.compile("collection=all"))
    found = tiles(admin)
    assert len(found) == 16 and ["3.png" in alt for alt in found[:3]] == [True, True, False]
    assert {alt.rpartition(", in ")[2] for alt in found[:2]} == {"first", "Holiday 2026"}
    admin.screenshot(path=PICTURES / "all-collections.png")
    admin.get_by_role("img", name=TILES).nth(1).click()
    admin.get_by_role("dialog").get_by_role("img").first.wait_for()
    expect(admin.get_by_role("dialog").get_by_role("button", name="Right", exact=True)).to_have_count(0)
    admin.keyboard.press("Escape")

    admin.reload()
    assert len(tiles(admin)) == 16
    admin.go_back()
    expect(admin).to_have_url(re.compile("collection=default"))
    admin.get_by_text("Searched 8 pictures in").wait_for()


def test_a_collection_is_renamed_and_removed(admin: Page, home: Path) -> None:
    admin.goto(f"{admin.url.partition('?')[0]}collections")
    admin.get_by_text("Holiday 2026: 8 pictures").wait_for()
    admin.get_by_test_id("stPopover").locator("button").first.click()
    admin.get_by_role("textbox", name="Name", exact=True).fill("Sea")
    admin.get_by_role("button", name="Rename").click()
    admin.get_by_text("Sea: 8 pictures").wait_for()
    settle(admin)
    admin.get_by_test_id("stPopover").locator("button").first.click()
    admin.get_by_role("button", name="Remove Sea").click()
    expect(admin.get_by_text("Sea: 8 pictures")).to_have_count(0)
    assert len(list((home / "holiday").iterdir())) == 8
    assert len(list((home / "data" / "indexes").iterdir())) == 2  # its index stays
