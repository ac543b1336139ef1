"""Stories about the layout of picture and results, on screens of different widths."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image as Pillow
from playwright.sync_api import Locator, Page, Route, ViewportSize, expect

from tests.browser.acting import (
    LAPTOP,
    OBJECT,
    PHONE,
    PICTURES,
    canvas_of,
    drag,
    place,
    ranking,
    rings,
    sample_box,
    search,
)
from tests.browser.conftest import serving


@pytest.fixture(scope="module")
def copies(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server whose gallery has one picture in four sizes."""
    folder = tmp_path_factory.mktemp("copies")
    sample = sorted((data / "sample" / "gallery").glob("*.jpg"))
    for file in sample[::4]:
        shutil.copy(file, folder)
    with Pillow.open(data / "sample" / "gallery" / "coffee-cup-1.jpg") as picture:
        for percent in (100, 90, 80, 70):
            size = picture.width * percent // 100, picture.height * percent // 100
            picture.resize(size).save(folder / f"copy-{percent}.jpg", quality=90)
    settings = {"BOXFIND_DATA": str(data), "BOXFIND_OFFLINE": "1", "BOXFIND_ADMIN": "local"}
    with serving(settings | {"BOXFIND_GALLERY": str(folder)}, folder.parent) as address:
        yield address


def tile(page: Page, rank: int) -> Locator:
    return page.get_by_role("img", name=re.compile(rf"^Rank {rank}: "))


@pytest.mark.parametrize("width", [1024, 1366, 1920])
def test_the_first_result_is_next_to_the_picture_and_above_the_fold(page: Page, data: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 768})
    search(page, data)
    page.wait_for_timeout(800)
    page.screenshot(path=PICTURES / f"results-{width}.png")
    picture, first = place(canvas_of(page)), place(tile(page, 1))
    assert first["x"] >= picture["x"] + picture["width"]
    assert first["y"] >= 0 and first["y"] + first["height"] <= 768
    page.mouse.move(first["x"], first["y"])
    page.mouse.wheel(0, 1200)
    expect(tile(page, 1)).not_to_be_in_viewport()
    expect(canvas_of(page)).to_be_in_viewport(ratio=0.9)


def test_a_portrait_leaves_the_first_result_above_the_fold(page: Page) -> None:
    page.set_viewport_size(LAPTOP)
    page.locator("input[type=file]").set_input_files(
        {"name": "tall.png", "mimeType": "image/png", "buffer": rings(900, 1600)}
    )
    page.get_by_text("tall.png, 900 x 1600 pixels").wait_for()
    page.get_by_role("button", name="Whole picture").click()
    ranking(page)
    page.wait_for_timeout(800)
    page.screenshot(path=PICTURES / "results-portrait.png")
    first = place(tile(page, 1))
    assert first["y"] >= 0 and first["y"] + first["height"] <= 768


def test_on_a_phone_the_page_goes_to_the_results_and_back_to_the_picture(page: Page, data: Path) -> None:
    page.set_viewport_size(PHONE)
    search(page, data)
    expect(tile(page, 1)).to_be_in_viewport(ratio=1)
    page.wait_for_timeout(800)
    page.screenshot(path=PICTURES / "results-phone.png")
    tools = place(page.locator(".st-key-tools"))
    assert tools["height"] < 50 and tools["x"] + tools["width"] <= PHONE["width"]
    page.get_by_role("button", name="Export").wait_for()
    tile(page, 9).scroll_into_view_if_needed()
    strip = page.get_by_role("button", name="Your picture: back to the picture")
    expect(strip).to_be_in_viewport(ratio=1)
    strip.click()
    expect(canvas_of(page)).to_be_in_viewport(ratio=0.9)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_results_below_are_loaded_when_they_come_into_view(page: Page, data: Path) -> None:
    page.set_viewport_size(LAPTOP)
    search(page, data)
    tiles = page.get_by_role("img", name=re.compile(r"^Rank \d+: "))
    assert tiles.count() > 50
    last = tiles.last
    assert not last.evaluate("image => image.naturalWidth")
    last.scroll_into_view_if_needed()
    expect(last).to_have_js_property("complete", True)
    page.wait_for_function("image => image.naturalWidth > 0", arg=last.element_handle())


def test_a_heading_divides_matches_from_the_others_and_keys_cross_it(page: Page, data: Path) -> None:
    search(page, data)
    heading = page.get_by_role("heading", name="Less likely")
    expect(heading).to_have_count(1)
    matches = int(re.findall(r"\d+", page.locator(".st-key-status p").first.inner_text())[0])
    first_other = page.get_by_role("img", name=re.compile("unlikely match")).first
    above = page.get_by_role("img", name=re.compile("(?<!un)likely match"))
    assert above.count() == matches > 0
    assert place(above.last)["y"] < place(heading)["y"] < place(first_other)["y"]
    page.get_by_role("list", name="Results, best first").get_by_role("button").first.focus()
    for _ in range(6):
        page.keyboard.press("ArrowDown")
    focused = page.evaluate("() => document.activeElement.shadowRoot.activeElement.closest('li').offsetTop")
    assert focused > heading.evaluate("heading => heading.parentElement.offsetTop")


def test_the_filter_leaves_only_likely_results(page: Page, data: Path) -> None:
    search(page, data)
    page.get_by_role("button", name="Filter").click()
    page.get_by_text("Only likely", exact=True).click()
    expect(page.get_by_role("img", name=re.compile("unlikely match"))).to_have_count(0)
    expect(tile(page, 1)).to_be_visible()
    page.get_by_text(re.compile(r"\d+ results hidden by the filter")).wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Show all results").click()
    expect(page.get_by_role("img", name=re.compile("unlikely match")).first).to_be_visible()


def test_near_copies_are_stacked_until_opened(page: Page, copies: str, data: Path) -> None:
    page.goto(copies)
    page.get_by_role("heading", name="Find an object").wait_for()  # includes the build
    page.locator("input[type=file]").set_input_files(data / "sample" / "queries" / f"{OBJECT}-in-scene-1.jpg")
    page.get_by_text(f"{OBJECT}-in-scene-1.jpg, ").wait_for()
    drag(page, sample_box(data), 640)
    pile = page.get_by_role("button", name=re.compile("^and 3 more that look nearly the same"))
    copy = page.get_by_role("img", name=re.compile(r"^Rank \d+: copy-\d+"))
    pile.wait_for()
    expect(copy).to_have_count(1)
    page.screenshot(path=PICTURES / "stack-closed.png")
    pile.click()
    expect(copy).to_have_count(4)
    page.screenshot(path=PICTURES / "stack-open.png")
    page.get_by_role("button", name=re.compile("^show fewer")).click()
    expect(copy).to_have_count(1)
    page.get_by_role("button", name="Filter").click()
    page.get_by_text("Show copies singly").click()
    expect(copy).to_have_count(4)
    expect(pile).to_have_count(0)


@pytest.mark.parametrize("size", [PHONE, LAPTOP])
def test_tiles_keep_their_position_when_one_is_marked(page: Page, data: Path, size: ViewportSize) -> None:
    page.set_viewport_size(size)
    search(page, data)
    page.wait_for_timeout(1500)
    before = place(tile(page, 1))
    page.get_by_role("button", name=re.compile("^Right: more like this: 1 ")).click()
    page.get_by_text("1 right, 0 wrong").wait_for()
    page.get_by_role("button", name="Feedback").wait_for()
    page.wait_for_timeout(500)
    assert place(tile(page, 1)) == before


def test_pictures_that_the_server_did_not_have_for_a_moment_are_loaded_again(page: Page, data: Path) -> None:
    refused, served = set[str](), set[str]()

    def refuse_once(route: Route) -> None:
        if route.request.url in refused:
            served.add(route.request.url)
            route.continue_()
        else:
            refused.add(route.request.url)
            route.fulfill(status=404)

    page.route("**/media/**", refuse_once)
    search(page, data)
    tile(page, 13).scroll_into_view_if_needed()
    expect(tile(page, 13)).not_to_have_js_property("naturalWidth", 0)
    drawn = canvas_of(page).locator("image").get_attribute("href")
    assert any(address.endswith(str(drawn)) for address in served)


def test_a_filter_says_above_the_results_how_many_it_hides(page: Page, data: Path) -> None:
    page.set_viewport_size(LAPTOP)
    search(page, data)
    page.wait_for_timeout(1500)
    before = place(tile(page, 1))
    tools = page.locator(".st-key-tools")
    expect(tools.get_by_text("Export")).to_be_visible()
    assert tools.evaluate("tools => tools.scrollWidth <= tools.clientWidth")
    tools.get_by_role("button", name="Filter").click()
    page.get_by_text("Only likely", exact=True).click()
    expect(page.locator(".st-key-status")).to_contain_text(re.compile(r"\d+ hidden by the filter"))
    page.keyboard.press("Escape")
    page.wait_for_timeout(500)
    assert place(tile(page, 1)) == before


def test_a_tile_downloads_its_picture(page: Page, data: Path) -> None:
    name = search(page, data)[1]
    with page.expect_download() as download:
        page.get_by_role("list", name="Results").get_by_role("button", name="Download").nth(1).click()
    assert download.value.suggested_filename == name
    assert download.value.path().read_bytes() == (data / "sample" / "gallery" / name).read_bytes()
