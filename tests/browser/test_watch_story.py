"""Story: a picture is copied into the folder while a page is open, and is found after a while without a click."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.acting import LAPTOP, OBJECT, PICTURES, drag, others_first, ranking, sample_box
from tests.browser.conftest import new_page, serving


@pytest.fixture(scope="module")
def folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sample pictures without the object."""
    made = tmp_path_factory.mktemp("pictures") / "collection"
    made.mkdir()
    others = [file for file in sorted((data / "sample" / "gallery").glob("*.jpg")) if not file.name.startswith(OBJECT)]
    for file in others[::5]:
        shutil.copy(file, made)
    return made


@pytest.fixture(scope="module")
def address(data: Path, folder: Path) -> Iterator[str]:
    settings = {"BOXFIND_DATA": str(data), "BOXFIND_OFFLINE": "1", "BOXFIND_ADMIN": "local", "BOXFIND_WATCH": "auto"}
    with serving(settings | {"BOXFIND_GALLERY": str(folder), "BOXFIND_WATCH_SETTLE": "1"}, folder.parent) as address:
        yield address


def test_r92_a_picture_copied_into_the_folder_is_found(
    browser: Browser, address: str, data: Path, folder: Path
) -> None:
    page = new_page(browser, viewport=LAPTOP)
    page.goto(address)
    page.get_by_role("heading", name="Find an object").wait_for()  # includes the build
    page.get_by_role("button", name="Expand sidebar").click()
    before = len(list(folder.iterdir()))
    page.get_by_text(f"{before} pictures").wait_for()
    page.get_by_text("Watching the folder for changes").wait_for()
    page.screenshot(path=PICTURES / "watching.png")
    for file in (data / "sample" / "gallery").glob(f"{OBJECT}-*.jpg"):
        shutil.copy(file, folder)
    page.get_by_text(f"{len(list(folder.iterdir()))} pictures").wait_for()
    page.get_by_text("Watching the folder for changes").wait_for()
    found = search_with_upload(page, data)
    assert others_first(found)
    page.close()


def search_with_upload(page: Page, data: Path) -> list[str]:
    picture = data / "sample" / "queries" / f"{OBJECT}-in-scene-1.jpg"
    page.locator("input[type=file]").set_input_files(picture)
    page.get_by_text(re.compile(rf"^{picture.name}, \d+ x \d+ pixels")).wait_for()
    drag(page, sample_box(data), 640)
    return ranking(page)
