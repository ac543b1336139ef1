"""Stories of a first start, of searches and of the gallery in a real browser."""

import io
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image as Pillow
from playwright.sync_api import Browser, Page, expect

from retrieval.ranking.confidence import NO_MATCH
from tests.browser.acting import (
    OBJECT,
    PHONE,
    PICTURES,
    SEEN_PER_OBJECT,
    asked_hosts,
    canvas_of,
    choose_sample,
    drag,
    go_to,
    others_first,
    place,
    ranking,
    sample_box,
    upload_rings,
)
from tests.browser.conftest import new_page, serving


@pytest.fixture(scope="module")
def data(new_data: Path) -> Path:
    """Without an index: the first visitor builds it."""
    return new_data


def test_a_box_on_a_sample_finds_the_other_pictures_of_the_object(page: Page, data: Path) -> None:
    choose_sample(page)
    page.wait_for_timeout(1500)
    page.screenshot(path=PICTURES / "search-before.png")
    drag(page, sample_box(data), 640)
    assert others_first(ranking(page))
    page.mouse.move(5, 500)
    page.wait_for_timeout(1500)
    page.screenshot(path=PICTURES / "search-after.png")


def test_the_dialog_explains_the_score(page: Page, data: Path) -> None:
    choose_sample(page)
    drag(page, sample_box(data), 640)
    assert others_first(ranking(page))
    first = page.get_by_role("img", name=re.compile(r"^Rank 1: "))
    expect(first).to_have_attribute("alt", re.compile(r", likely match, details agree, \d+ of 100$"))
    first.click()
    expect(page.get_by_role("dialog").get_by_role("cell", name=re.compile("^Verification: "))).to_be_visible()
    page.get_by_text(re.compile(r"Show \d+ matching details?")).click()
    expect(page.get_by_role("img", name=re.compile("of your box connected to the picture"))).to_be_visible()
    page.wait_for_timeout(500)
    page.screenshot(path=PICTURES / "closer.png")


def test_the_fast_ranking_is_used_until_changed_back(page: Page, data: Path) -> None:
    choose_sample(page)
    drag(page, sample_box(data), 640)
    agreeing = page.get_by_role("img", name=re.compile(r"details agree"))
    assert others_first(ranking(page)) and agreeing.count() > 0
    page.get_by_role("radio", name="Fast").click()
    expect(agreeing).to_have_count(0)
    assert others_first(ranking(page))
    page.get_by_role("button", name="Search with this region").nth(1).click()
    page.get_by_text("coffee-cup-").first.wait_for()
    expect(page.get_by_role("radio", name="Fast")).to_be_checked()


def test_without_a_confident_match_the_nearest_look_alikes_are_shown(page: Page) -> None:
    upload_rings(page)
    page.get_by_role("button", name="Whole picture").click()
    page.get_by_text(NO_MATCH).wait_for()
    expect(page.get_by_role("heading", name="Nearest look-alikes")).to_be_visible()
    assert len(ranking(page)) == 10
    page.wait_for_timeout(1500)
    page.screenshot(path=PICTURES / "no-match.png")
    page.set_viewport_size(PHONE)
    page.get_by_text(NO_MATCH).scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    page.screenshot(path=PICTURES / "no-match-phone.png")


def test_the_canvas_fits_a_phone_screen(page: Page, data: Path) -> None:
    page.set_viewport_size(PHONE)
    choose_sample(page)
    drag(page, sample_box(data), 640)
    assert others_first(ranking(page))
    page.wait_for_timeout(500)
    page.screenshot(path=PICTURES / "search-phone.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    canvas = place(canvas_of(page))
    assert canvas["x"] >= 0 and canvas["x"] + canvas["width"] <= PHONE["width"]


def test_a_second_box_replaces_the_first(page: Page, data: Path) -> None:
    choose_sample(page)
    drag(page, (20, 20, 120, 90), 640)
    first = ranking(page)
    drag(page, sample_box(data), 640)
    expect(page.get_by_role("img", name=re.compile(rf"^Rank 1: {OBJECT}-"))).to_be_visible()
    assert others_first(ranking(page)) and ranking(page) != first


def test_a_new_picture_starts_without_a_box(page: Page, data: Path) -> None:
    choose_sample(page)
    drag(page, sample_box(data), 640)
    ranking(page)
    page.get_by_role("radio", name="File").click()
    upload_rings(page)
    page.wait_for_timeout(1500)
    expect(page.get_by_text("Drag a box around an object")).to_be_visible()


def test_r27_a_box_drawn_backwards_or_beyond_the_picture_ends_at_its_border(page: Page) -> None:
    choose_sample(page)
    drag(page, (637, 477, -297, -197), 640)
    numbers(page, near=(340, 280, 300, 200))
    page.get_by_role("button", name="Clear Shortcut X").click()
    page.get_by_text("Drag a box around an object").wait_for()
    drag(page, (400, 300, 300, 60), 640)
    numbers(page, near=(400, 300, 240, 60))


def numbers(page: Page, near: tuple[int, int, int, int]) -> None:
    """Check the box coordinates: within the line width, and exact at a border."""
    if not page.get_by_label("Left (pixels)").first.is_visible():
        page.get_by_text("Enter coordinates").click()
    for name, wanted in zip(("Left", "Top", "Width", "Height"), near, strict=True):
        field = page.get_by_label(f"{name} (pixels)").first  # an old field stays until the rerun is complete
        expect(field).to_have_value(re.compile("|".join(f"^{value}$" for value in range(wanted - 6, wanted + 7))))
    left, top, width, height = (
        int(page.get_by_label(f"{name} (pixels)").first.input_value()) for name in ("Left", "Top", "Width", "Height")
    )
    assert left + width == near[0] + near[2] or near[0] + near[2] < 640
    assert top + height == near[1] + near[3] or near[1] + near[3] < 480


def test_r10_a_photograph_taken_sideways_is_searched_upright(page: Page, data: Path) -> None:
    """EXIF orientation 6: stored a quarter turn off, shown and searched upright."""
    with Pillow.open(data / "sample" / "queries" / f"{OBJECT}-in-scene-1.jpg") as upright:
        sideways, exif, file = upright.rotate(90, expand=True), Pillow.Exif(), io.BytesIO()
        exif[0x0112] = 6
        sideways.save(file, "JPEG", quality=95, exif=exif)
    page.locator("input[type=file]").set_input_files(
        {"name": "IMG_0001.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}
    )
    page.get_by_text("IMG_0001.jpg, 640 x 480 pixels").wait_for()
    drag(page, sample_box(data), 640)
    assert others_first(ranking(page))


def test_r03_a_file_that_is_not_a_picture_shows_a_message(page: Page) -> None:
    page.locator("input[type=file]").set_input_files(
        {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"shopping list"}
    )
    page.get_by_text("notes.jpg is not a picture in a supported format").wait_for()
    expect(page.get_by_text("Traceback")).to_have_count(0)


def test_a_result_becomes_the_query(page: Page, data: Path) -> None:
    choose_sample(page)
    drag(page, sample_box(data), 640)
    best = ranking(page)[0]
    page.get_by_role("button", name="Search with this region").first.click()
    page.get_by_text(re.compile(rf"^{best}, \d+ x \d+ pixels")).wait_for()
    assert best in ranking(page)[:SEEN_PER_OBJECT]
    assert others_first(ranking(page))


def test_a_gallery_picture_becomes_the_query(page: Page) -> None:
    go_to(page, "Gallery")
    page.get_by_role("img", name="badge-1.jpg").wait_for()
    page.screenshot(path=PICTURES / "gallery.png")
    page.get_by_role("button", name="Search with this").first.click()
    page.get_by_text("badge-1.jpg, ").wait_for()
    page.get_by_role("button", name="Whole picture").click()
    assert ranking(page)[0] == "badge-1.jpg"


def test_r25_the_first_visitor_of_a_server_can_open_a_link(
    browser: Browser, address: str, page: Page, data: Path
) -> None:
    """The `page` fixture builds the index."""
    with serving({"BOXFIND_DATA": str(data), "BOXFIND_OFFLINE": "1"}, data) as another:
        visitor = new_page(browser)
        hosts = asked_hosts(visitor)
        visitor.goto(f"{another}/gallery?gallery+page=2")
        expect(visitor.get_by_role("heading", name="Gallery", exact=True).last).to_be_visible()
        expect(visitor.get_by_role("link", name="Catalogue")).to_be_visible()
        expect(visitor.get_by_role("img", name="badge-1.jpg")).to_have_count(0)
        expect(visitor.get_by_role("link", name="Index")).to_have_count(0)
        assert hosts == {urlsplit(another).netloc}
        visitor.close()
