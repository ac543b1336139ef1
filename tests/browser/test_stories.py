"""What people do with the program, done in a real browser."""

import csv
import io
import re
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from playwright.sync_api import Page, ViewportSize, expect

from retrieval.confidence import NO_MATCH

PICTURES = Path(__file__).parents[2] / "test-results"
OBJECT = "coffee-cup"
SAMPLE = "Coffee cup in scene 1"
SEEN_PER_OBJECT = 5
PHONE: ViewportSize = {"width": 390, "height": 844}
TILE = re.compile(r"Rank (?P<rank>\d+): (?P<image>.+), (un)?(likely|possible) match(, details agree)?")


def sample_box(data: Path) -> tuple[int, int, int, int]:
    with (data / "sample" / "queries.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["query"] == f"{OBJECT}-1")
    return int(row["x"]), int(row["y"]), int(row["w"]), int(row["h"])


def rings(width: int, height: int) -> bytes:
    """A PNG of coloured circles round one another."""
    radius = np.hypot(*np.meshgrid(np.arange(width) - 0.47 * width, np.arange(height) - 0.46 * height))
    picture = np.stack([128 + 127 * np.sin(radius / spread) for spread in (3, 5, 7)], axis=2)
    file = io.BytesIO()
    Pillow.fromarray(picture.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def drag(page: Page, box: tuple[int, int, int, int], picture_width: int) -> None:
    """Draws the box, given in pixels of the picture, on the canvas with the mouse."""
    page.wait_for_timeout(1500)  # the canvas takes the mouse only once its background has loaded
    canvas = page.locator("canvas").last
    canvas.scroll_into_view_if_needed()
    place = canvas.bounding_box()
    assert place is not None
    scale = place["width"] / picture_width
    x, y, w, h = (side * scale for side in box)
    page.mouse.move(place["x"] + x, place["y"] + y)
    page.mouse.down()
    page.mouse.move(place["x"] + x + w / 2, place["y"] + y + h / 2, steps=6)
    page.mouse.move(place["x"] + x + w, place["y"] + y + h, steps=6)
    page.mouse.up()


def ranking(page: Page) -> list[str]:
    """The image ids of the ten tiles, best first."""
    tiles = page.get_by_role("img", name=re.compile(r"^Rank \d+: "))
    expect(tiles).to_have_count(10, timeout=30_000)
    names = [TILE.fullmatch(tile.get_attribute("alt") or "") for tile in tiles.all()]
    assert [name and int(name["rank"]) for name in names] == list(range(1, 11))
    return [name["image"] for name in names if name]


def others_first(found: list[str]) -> bool:
    """Whether at least four of the object's five gallery pictures are the first results."""
    return sum(name.startswith(f"{OBJECT}-") for name in found[:SEEN_PER_OBJECT]) >= SEEN_PER_OBJECT - 1


def choose_sample(page: Page) -> None:
    page.get_by_role("combobox", name="or a sample picture").fill(SAMPLE)
    page.get_by_role("option", name=SAMPLE, exact=True).click()
    page.get_by_text(re.compile(rf"^{SAMPLE}, \d+ x \d+ pixels")).wait_for()


def test_a_visitor_boxes_an_object_of_a_sample_and_sees_its_other_pictures(page: Page, data: Path) -> None:
    choose_sample(page)
    page.wait_for_timeout(1500)
    page.screenshot(path=PICTURES / "search-before.png")
    drag(page, sample_box(data), 640)
    assert others_first(ranking(page))
    page.mouse.move(5, 500)
    page.wait_for_timeout(1500)
    page.screenshot(path=PICTURES / "search-after.png")


def test_a_tile_says_on_demand_why_it_is_there(page: Page, data: Path) -> None:
    choose_sample(page)
    drag(page, sample_box(data), 640)
    assert others_first(ranking(page))
    first = page.get_by_role("img", name=re.compile(r"^Rank 1: "))
    expect(first).to_have_attribute("alt", re.compile(r", likely match, details agree$"))
    page.get_by_test_id("stPopover").first.get_by_role("button").click()
    expect(page.get_by_role("cell", name=re.compile("^Verification: "))).to_be_visible()
    page.screenshot(path=PICTURES / "search-why.png")


def test_the_fast_ranking_does_without_the_second_look_until_it_is_changed_back(page: Page, data: Path) -> None:
    choose_sample(page)
    drag(page, sample_box(data), 640)
    agreeing = page.get_by_role("img", name=re.compile(r"details agree$"))
    assert others_first(ranking(page)) and agreeing.count() > 0
    page.get_by_role("radio", name="Fast").click()
    expect(agreeing).to_have_count(0)
    assert others_first(ranking(page))
    page.get_by_role("button", name="Search from this").nth(1).click()
    page.get_by_text("coffee-cup-").first.wait_for()
    expect(page.get_by_role("radio", name="Fast")).to_be_checked()


def test_a_thing_that_is_in_no_picture_is_told_and_the_nearest_are_shown(page: Page) -> None:
    page.locator("input[type=file]").set_input_files(
        {"name": "rings.png", "mimeType": "image/png", "buffer": rings(640, 480)}
    )
    page.get_by_text("rings.png, 640 x 480 pixels").wait_for()
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


def test_the_whole_picture_can_be_drawn_on_where_there_is_little_room(page: Page, data: Path) -> None:
    page.set_viewport_size(PHONE)
    choose_sample(page)
    drag(page, sample_box(data), 640)
    assert others_first(ranking(page))
    page.get_by_text(re.compile("pictures, found in")).scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    page.screenshot(path=PICTURES / "search-phone.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    place = page.locator("canvas").last.bounding_box()
    assert place is not None and place["x"] >= 0 and place["x"] + place["width"] <= PHONE["width"]


def test_a_second_box_takes_the_place_of_the_first(page: Page, data: Path) -> None:
    choose_sample(page)
    drag(page, (20, 20, 120, 90), 640)
    first = ranking(page)
    drag(page, sample_box(data), 640)
    expect(page.get_by_role("img", name=re.compile(rf"^Rank 1: {OBJECT}-"))).to_be_visible()
    assert others_first(ranking(page)) and ranking(page) != first


def test_the_same_through_an_uploaded_photograph_that_was_taken_sideways(page: Page, data: Path) -> None:
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


def test_a_file_that_is_no_picture_is_answered_with_a_sentence(page: Page) -> None:
    page.locator("input[type=file]").set_input_files(
        {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"shopping list"}
    )
    page.get_by_text("notes.jpg is not a picture in a known format").wait_for()
    expect(page.get_by_text("Traceback")).to_have_count(0)


def test_searching_on_from_a_result(page: Page, data: Path) -> None:
    choose_sample(page)
    drag(page, sample_box(data), 640)
    best = ranking(page)[0]
    page.get_by_role("button", name="Search from this").first.click()
    page.get_by_text(re.compile(rf"^{best}, \d+ x \d+ pixels")).wait_for()
    assert best in ranking(page)[:SEEN_PER_OBJECT]
    assert others_first(ranking(page))


def test_a_gallery_picture_becomes_the_query_without_a_mouse_on_the_canvas(page: Page) -> None:
    page.get_by_role("link", name="Gallery").click()
    page.get_by_role("heading", name="Gallery").last.wait_for()
    page.get_by_role("img", name="badge-1.jpg").wait_for()
    page.screenshot(path=PICTURES / "gallery.png")
    page.get_by_role("button", name="Search with this").first.click()
    page.get_by_text("badge-1.jpg, ").wait_for()
    page.get_by_role("button", name="Whole picture").click()
    assert ranking(page)[0] == "badge-1.jpg"


def test_a_rebuild_from_the_sidebar_while_searches_go_on(page: Page, data: Path) -> None:
    (index,) = (data / "indexes").iterdir()
    before = (index / "CURRENT").read_text()
    page.get_by_role("button", name="Rebuild index").click()
    expect(page.get_by_role("button", name="Rebuild index")).to_be_disabled()
    page.get_by_text(re.compile(r"Looking at pictures: \d+ of \d+")).first.wait_for(timeout=60_000)
    choose_sample(page)
    drag(page, sample_box(data), 640)
    assert others_first(ranking(page))
    expect(page.get_by_role("button", name="Rebuild index")).to_be_enabled(timeout=90_000)
    assert (index / "CURRENT").read_text() != before
    assert others_first(ranking(page))
