"""A drive that is unplugged, a folder that is moved, and a folder inside it that is renamed, in a real browser."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from boxfind.settings import Settings
from index.operations.away_check import LASTS
from index.storage.generation import current_folder
from index.storage.manifest import read_manifest
from tests.browser.acting import LAPTOP, PHONE, PICTURES, go_to, settle, wait_for_page
from tests.browser.conftest import PROJECT, at_home, new_page, serving

AWAY = "The picture folder is not there"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, networks: Path, indexed: Path) -> Path:
    """A home folder whose photos have a subfolder, and their index."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "data").mkdir()
    (folder / "data" / "networks").symlink_to(networks)
    shutil.copytree(indexed / "sample" / "gallery", folder / "photos" / "trip")
    subprocess.run(
        [sys.executable, "cli.py", "build"], cwd=PROJECT, env=os.environ | at_home(folder, "photos"), check=True
    )
    return folder


@pytest.fixture(scope="module")
def own_address(home: Path) -> Iterator[str]:
    with serving(at_home(home, "photos"), home) as address:
        yield address


@pytest.fixture
def admin(browser: Browser, own_address: str) -> Iterator[Page]:
    """The administrator at this machine, on the Gallery page."""
    visitor = new_page(browser, viewport=LAPTOP)
    visitor.goto(f"{own_address}/gallery")
    gallery_tiles(visitor).first.wait_for()
    settle(visitor)
    yield visitor
    visitor.close()


def gallery_tiles(page: Page) -> Locator:
    return page.get_by_role("list", name="Pictures of the gallery").get_by_role("listitem")


def results(page: Page) -> Locator:
    return page.get_by_role("list", name="Results").get_by_role("listitem")


def find_look_alikes(page: Page) -> None:
    settle(page)
    gallery_tiles(page).first.get_by_role("button", name="Find look-alikes").click()
    wait_for_page(page, "Search")
    expect(results(page)).not_to_have_count(0)


def test_r95_an_unplugged_drive_is_said_searched_and_comes_back(admin: Page, home: Path) -> None:
    (home / "photos").rename(home / ".unplugged")
    admin.wait_for_timeout(1000 * LASTS + 500)
    go_to(admin, "Search")
    expect(admin.get_by_text(AWAY)).to_be_visible()
    admin.get_by_role("link", name="It was moved: choose its new place").wait_for()
    admin.set_viewport_size(PHONE)
    admin.wait_for_timeout(1000)
    admin.screenshot(path=PICTURES / "away-phone.png")
    assert admin.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    admin.set_viewport_size(LAPTOP)
    go_to(admin, "Gallery")
    expect(admin.get_by_text(AWAY)).to_be_visible()
    find_look_alikes(admin)
    expect(admin.get_by_text("Searching with the thumbnail from the index.")).to_be_visible()
    results(admin).first.get_by_role("button", name=re.compile("^Rank 1: ")).click()
    dialog = admin.get_by_role("dialog")
    expect(dialog.get_by_text("The drive with this folder is not connected.").first).to_be_visible()
    admin.screenshot(path=PICTURES / "away-result.png")
    admin.keyboard.press("Escape")
    (home / ".unplugged").rename(home / "photos")
    expect(admin.get_by_text(AWAY)).to_have_count(0)
    go_to(admin, "Gallery")  # the page does not run by itself, as the closer view may still be open
    go_to(admin, "Search")
    expect(admin.get_by_text("Searching with the thumbnail from the index.")).to_have_count(0)
    expect(results(admin)).not_to_have_count(0)


def test_r97_names_albums_and_saved_searches_stay_when_a_folder_is_renamed(admin: Page, home: Path) -> None:
    go_to(admin, "Catalogue")
    field = admin.get_by_role("textbox", name="Name of group 1", exact=True)
    field.fill("Things of the trip")
    field.press("Enter")
    admin.get_by_role("img", name=re.compile("^Things of the trip: ")).wait_for()
    go_to(admin, "Gallery")
    gallery_tiles(admin).first.get_by_role("button", name="Select").click()
    admin.get_by_role("button", name="Add to album").click()
    album = admin.locator(".stForm").get_by_role("combobox")
    album.fill("Best of it")
    album.press("Enter")
    admin.get_by_role("button", name="Add", exact=True).click()
    admin.get_by_text("Added 1 picture to Best of it.").wait_for()
    find_look_alikes(admin)
    marked = results(admin).nth(1)
    name = marked.get_by_role("img").first.get_attribute("alt")
    marked.get_by_role("button", name="Right").click()
    expect(admin.get_by_text("1 right, 0 wrong")).to_be_visible()
    admin.get_by_role("button", name="Save", exact=True).click()
    admin.get_by_label("Name of the search").fill("Look-alikes")
    admin.get_by_test_id("stFormSubmitButton").get_by_role("button").click()
    admin.get_by_text("Saved as Look-alikes.").wait_for()
    settle(admin)
    assert name and "trip/" in name

    photos = home / "photos"
    (photos / "trip").rename(photos / "Journey")
    go_to(admin, "Index")
    admin.get_by_role("button", name="Update index").click()
    admin.get_by_text("The index is up to date.").wait_for()
    go_to(admin, "Catalogue")
    expect(field).to_have_value("Things of the trip")
    go_to(admin, "Gallery")
    admin.get_by_role("combobox", name="Album").click()
    admin.get_by_role("option", name="Best of it").click()
    expect(gallery_tiles(admin)).to_have_count(1)
    expect(gallery_tiles(admin).get_by_role("img", name="Journey/")).to_be_visible()
    go_to(admin, "Search")
    admin.get_by_role("button", name="Saved").first.click()
    admin.get_by_role("menuitem", name="Look-alikes").click()
    settle(admin)
    expect(admin.get_by_text("1 right, 0 wrong")).to_be_visible()
    pressed = results(admin).get_by_role("button", name="Right", pressed=True)
    expect(pressed).to_have_count(1)


def test_r96_a_moved_folder_is_offered_and_used_without_reading_it(admin: Page, home: Path) -> None:
    find_look_alikes(admin)
    index = Settings.load(data=home / "data", gallery=home / "photos").index_dir
    before, moved = read_manifest(current_folder(index)), home / "pictures of 2019"
    (home / "photos").rename(moved)
    admin.wait_for_timeout(1000 * LASTS + 500)
    go_to(admin, "Gallery")
    admin.get_by_role("button", name=f"The folder moved to {moved}: use it").click()
    admin.get_by_text("These pictures are known: nothing is read again.").wait_for()
    wait_for_page(admin, "Search")
    expect(admin.get_by_text(AWAY)).to_have_count(0)
    after = read_manifest(current_folder(index))
    assert after.gallery == str(moved) and (after.counts, after.created) == (before.counts, before.created)
    go_to(admin, "Gallery")
    find_look_alikes(admin)
    expect(admin.get_by_text("Searching with the thumbnail from the index.")).to_have_count(0)
    assert [path.name for path in (home / "data" / "indexes").iterdir()] == [index.name]
