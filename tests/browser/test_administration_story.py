"""An empty collection, another folder, and the Index page, in a real browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FloatRect, Page, expect

from tests.browser.acting import LAPTOP, PHONE, PICTURES, TABLET, place, rings, serious
from tests.browser.conftest import at_home, new_page, serving
from tests.tiny import eight_pictures

WIDTHS = (LAPTOP["width"], TABLET["width"], PHONE["width"])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, networks: Path) -> Path:
    """A folder with an empty collection and one of eight pictures."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "data").mkdir()
    (folder / "data" / "networks").symlink_to(networks)
    (folder / "empty").mkdir()
    eight_pictures(folder / "photos" / "holidays")
    return folder


@pytest.fixture(scope="module")
def own_address(home: Path) -> Iterator[str]:
    with serving(at_home(home, "empty"), home) as address:
        yield address


@pytest.fixture
def admin(browser: Browser, own_address: str) -> Iterator[Page]:
    visitor = new_page(browser, viewport=LAPTOP)
    visitor.goto(f"{own_address}/?collection=photos")  # once it is there
    visitor.get_by_test_id("stHeaderLogo").wait_for()
    yield visitor
    visitor.close()


def picture_of(page: Page, name: str) -> None:
    """A screenshot at each width; nothing is wider than the screen."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 844 if width == PHONE["width"] else 768})
        page.wait_for_timeout(1500)
        page.screenshot(path=PICTURES / f"{name}-{width}.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size(LAPTOP)


def looks_right_in_both_schemes(page: Page) -> None:
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.wait_for_timeout(1000)
        assert serious(page) == [], scheme


def test_an_empty_collection_welcomes_and_takes_pictures(admin: Page, home: Path) -> None:
    admin.get_by_role("heading", name="Welcome to Boxfind").wait_for()
    expect(admin.get_by_role("alert")).to_have_count(0)
    looks_right_in_both_schemes(admin)
    picture_of(admin, "welcome")
    admin.locator("input[type=file]").set_input_files(
        [{"name": "rings.png", "mimeType": "image/png", "buffer": rings(320, 240)}]
    )
    admin.get_by_text("rings.png").wait_for()
    admin.get_by_role("button", name="Add to the gallery").click()
    admin.get_by_role("heading", name="Find an object").wait_for()
    assert [file.name for file in (home / "empty").iterdir()] == ["rings.png"]


def test_another_folder_is_chosen_and_searched(admin: Page, home: Path) -> None:
    admin.get_by_role("heading", name="Find an object").wait_for()
    open_index_page(admin)
    admin.get_by_role("link", name="Collections").last.click()
    field = admin.get_by_role("textbox", name="Folder", exact=True)
    expect(field).to_have_value(str(home / "empty"))
    admin.get_by_role("button", name=re.compile("^arrow_upward Up to|^Up to")).click()
    admin.get_by_role("button", name="photos").click()
    expect(field).to_have_value(str(home / "photos"))
    looks_right_in_both_schemes(admin)
    picture_of(admin, "folder")
    admin.get_by_role("button", name="Add this folder").click()
    admin.get_by_role("dialog").get_by_text("8 files").wait_for()
    admin.get_by_role("button", name="Add and start").click()
    admin.wait_for_url(re.compile("collection=photos"))
    admin.get_by_role("heading", name="Find an object").wait_for()
    open_index_page(admin)
    expect(admin.get_by_text("8 pictures").last).to_be_visible()
    admin.get_by_label("Navigate to home page").filter(visible=True).first.click()
    admin.get_by_role("heading", name="Find an object").wait_for()
    assert (home / "data" / "collections.json").is_file()


def test_a_rebuild_asks_and_can_be_undone(admin: Page) -> None:
    open_index_page(admin)
    rebuild = admin.get_by_role("button", name="Rebuild index")
    picture_of(admin, "index")
    first = place(rebuild)
    rebuild.click()
    dialog = admin.get_by_role("dialog")
    dialog.get_by_text(re.compile("^Re-reads all 8 pictures")).wait_for()
    start = dialog.get_by_role("button", name="Start rebuilding")
    assert apart(first, place(start))  # a second click where the first was starts nothing
    admin.wait_for_timeout(500)
    admin.screenshot(path=PICTURES / "rebuild-question.png")
    assert serious(admin) == []
    start.click()
    admin.get_by_text("The index is up to date.").wait_for()
    admin.get_by_role("tab", name="History").click()
    admin.get_by_role("button", name="Use this one").click()
    picture_of(admin, "history")
    admin.get_by_role("button", name="Check and use it").click()
    admin.get_by_text("In use again").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_r56_axe_finds_no_serious_violations_on_the_index_page(admin: Page, scheme: str) -> None:
    admin.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    open_index_page(admin)
    for tab in ("Overview", "Skipped files", "History", "Check", "Find a picture"):
        admin.get_by_role("tab", name=tab).click()
        admin.wait_for_timeout(1000)
        if tab == "Check":
            admin.get_by_role("button", name="Check the index").click()
            admin.get_by_text(re.compile("^No problems found|not in the index")).first.wait_for()
        if tab == "Find a picture":
            admin.get_by_role("textbox", name="Picture").fill("holidays/1.png")
            admin.keyboard.press("Enter")
            admin.get_by_text("is in the index gen-").wait_for()
        admin.screenshot(path=PICTURES / f"index-{tab.split()[0].lower()}-{scheme}.png")
        assert serious(admin) == [], tab


def test_no_file_names_flash_before_the_first_page_of_a_server(browser: Browser, home: Path) -> None:
    """The first visitor of a server sees the menu at once, not the names of Streamlit's page files."""
    settings = {"BOXFIND_DATA": str(home / "data"), "BOXFIND_GALLERY": str(home / "empty"), "BOXFIND_OFFLINE": "1"}
    with serving(settings, home) as address:
        visitor = new_page(browser)
        visitor.add_init_script(
            """window.menus = new Set();
            new MutationObserver(() => document.querySelectorAll('nav a, [data-testid*=NavLink]')
                .forEach(link => window.menus.add(link.innerText.split('\\n').pop().trim())))
                .observe(document, {childList: true, subtree: true, characterData: true});"""
        )
        visitor.goto(address)
        visitor.get_by_role("link", name="Catalogue").wait_for()
        seen = set(visitor.evaluate("[...window.menus]"))
        assert "app" not in seen and not seen & {"search", "gallery", "index"}, seen
        visitor.close()


def open_index_page(page: Page) -> None:
    page.get_by_role("link", name="Index").click()
    page.get_by_role("heading", name="Index", exact=True).wait_for()


def apart(one: FloatRect, other: FloatRect) -> bool:
    return (
        one["x"] + one["width"] < other["x"]
        or other["x"] + other["width"] < one["x"]
        or one["y"] + one["height"] < other["y"]
        or other["y"] + other["height"] < one["y"]
    )
