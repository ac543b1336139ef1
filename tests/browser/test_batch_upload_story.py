"""An administrator adds pictures to a gallery of this test, in a real browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.acting import PHONE, PICTURES, rings
from tests.browser.conftest import new_page, serving
from tests.tiny import eight_pictures

NEW = ("rings.png", "sideways.png")


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    return eight_pictures(tmp_path / "gallery")


@pytest.fixture
def adding(browser: Browser, gallery: Path, networks: Path, tmp_path: Path) -> Iterator[Page]:
    """The Gallery page of an administrator, with the Add pictures tab open."""
    (tmp_path / "networks").symlink_to(networks)
    settings = {"BOXFIND_DATA": str(tmp_path), "BOXFIND_GALLERY": str(gallery), "BOXFIND_OFFLINE": "1"}
    with serving(settings | {"BOXFIND_ADMIN": "local"}, tmp_path) as address:
        admin = new_page(browser, viewport={"width": 1440, "height": 1000})
        admin.goto(f"{address}/gallery")
        admin.get_by_role("tab", name="Add pictures").click()
        yield admin
        admin.close()


def test_an_administrator_adds_pictures_and_finds_them(adding: Page, gallery: Path) -> None:
    pictures = {NEW[0]: rings(320, 240), NEW[1]: rings(240, 320)}
    adding.locator("input[type=file]").set_input_files(
        [
            {"name": name, "mimeType": "image/png", "buffer": data}
            for name, data in (pictures | {"notes.png": b"shopping list"}).items()
        ]
    )
    adding.get_by_text("notes.png").wait_for()
    adding.get_by_role("button", name="Add to the gallery").click()
    adding.get_by_text("2 pictures added").wait_for()
    adding.get_by_text("notes.png is not a picture in a supported format").wait_for()
    assert {path.name: path.read_bytes() for path in (gallery / "added").iterdir()} == pictures
    adding.get_by_text("The index is up to date.").wait_for()
    adding.screenshot(path=PICTURES / "added.png")
    adding.set_viewport_size(PHONE)
    adding.wait_for_timeout(500)
    adding.screenshot(path=PICTURES / "added-phone.png")
    assert adding.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    adding.set_viewport_size({"width": 1440, "height": 1000})
    adding.get_by_role("tab", name="Pictures", exact=True).click()
    for name in NEW:
        expect(adding.get_by_role("img", name=f"added/{name}", exact=True)).to_be_visible()
    adding.get_by_role("button", name=re.compile(r"^Search with this.*rings\.png$")).click()
    adding.get_by_text("added/rings.png, 320 x 240 pixels").wait_for()
    adding.get_by_role("button", name="Whole picture").click()
    expect(adding.get_by_role("img", name=re.compile(r"^Rank [12]: added.rings\.png, likely match"))).to_be_visible()
