"""Stories about drawing on the picture: mouse, touch, zoom, and what stands out."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from playwright.sync_api import Browser, CDPSession, Page, expect

from tests.browser.acting import (
    PHONE,
    PICTURES,
    canvas_of,
    choose_sample,
    drag,
    go_to,
    on_screen,
    others_first,
    place,
    ranking,
    sample_box,
    settle,
    shown_boxes,
)
from tests.browser.conftest import new_page

Point = tuple[float, float]


@pytest.fixture
def phone(browser: Browser, address: str, page: Page) -> Iterator[Page]:
    """A visitor with a touch screen. The `page` fixture builds the index."""
    visitor = new_page(browser, viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=2)
    visitor.goto(address)
    canvas_of(visitor).wait_for()
    yield visitor
    visitor.close()


def upload(page: Page, picture: np.ndarray, name: str) -> None:
    file = io.BytesIO()
    Pillow.fromarray(picture).save(file, "JPEG", quality=90)
    page.locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": "image/jpeg", "buffer": file.getvalue()}
    )
    canvas_of(page).locator(f"image[width='{picture.shape[1]}'][height='{picture.shape[0]}']").wait_for()
    canvas_of(page).scroll_into_view_if_needed()


def mouse_drag(page: Page, start: Point, end: Point) -> None:
    """Drag between two points of the picture."""
    page.mouse.move(*on_screen(page, *start))
    page.mouse.down()
    page.mouse.move(*on_screen(page, *end), steps=8)
    page.mouse.up()


def near(box: tuple[int, ...], wanted: tuple[int, ...], tolerance: int) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(box, wanted, strict=True))


def test_a_box_is_moved_and_resized_by_its_handles_at_once(page: Page, data: Path) -> None:
    choose_sample(page)
    drag(page, (100, 100, 200, 150), 640)
    assert near(shown_boxes(page)[0], (100, 100, 200, 150), 2)
    mouse_drag(page, (200, 175), (240, 205))
    assert near(shown_boxes(page)[0], (140, 130, 200, 150), 2)
    mouse_drag(page, (340, 280), (400, 400))
    assert near(shown_boxes(page)[0], (140, 130, 260, 270), 2)
    mouse_drag(page, (140, 265), (90, 265))
    assert near(shown_boxes(page)[0], (90, 130, 310, 270), 2)
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowDown")
    ranking(page)
    expect(page.get_by_label("Top (pixels)")).not_to_have_value("130")
    assert shown_boxes(page)[0][2] > 310
    page.keyboard.press("Delete")
    page.get_by_text("Drag a box around an object").wait_for()
    assert shown_boxes(page) == []


def test_r26_a_click_draws_nothing_and_escape_undoes_a_drag(page: Page, data: Path) -> None:
    choose_sample(page)
    x, y = on_screen(page, 30, 30)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 4, y + 1, steps=4)
    page.mouse.up()
    assert shown_boxes(page) == []
    page.mouse.down()
    page.mouse.move(*on_screen(page, 300, 300), steps=5)
    assert len(shown_boxes(page)) == 1
    page.keyboard.press("Escape")
    page.mouse.up()
    page.wait_for_timeout(1000)
    assert shown_boxes(page) == []
    expect(page.get_by_text("Drag a box around an object")).to_be_visible()


def test_a_drawn_box_and_its_results_are_there_after_a_change_of_page(page: Page, data: Path) -> None:
    choose_sample(page)
    drag(page, sample_box(data), 640)
    found, boxes = ranking(page), shown_boxes(page)
    go_to(page, "Gallery")
    expect(canvas_of(page)).to_have_count(0)
    page.get_by_role("link", name=re.compile("Search|Find")).first.click()
    canvas_of(page).wait_for()
    assert ranking(page) == found and shown_boxes(page) == boxes


def test_a_dot_shows_its_outline_and_searches_at_a_click(page: Page, data: Path) -> None:
    choose_sample(page)
    dot = page.get_by_role("button", name=re.compile("^Search for what stands out here")).first
    outline = dot.locator(".outline")
    expect(outline).to_be_hidden()
    dot.locator(".hit").hover()
    expect(outline).to_be_visible()
    page.screenshot(path=PICTURES / "dot.png")
    box = tuple(int(outline.get_attribute(name) or 0) for name in ("x", "y", "width", "height"))
    dot.locator(".hit").click()
    ranking(page)
    assert shown_boxes(page) == [box]
    page.keyboard.press("x")  # clears the box
    page.get_by_text("Drag a box around an object").wait_for()
    dot.focus()
    page.keyboard.press("Enter")
    ranking(page)
    assert shown_boxes(page) == [box]


def test_a_tiny_object_in_a_large_photograph_can_be_boxed(page: Page) -> None:
    noise = np.random.default_rng(7).integers(60, 120, (378, 504, 3), dtype=np.uint8)
    picture = noise.repeat(8, axis=0).repeat(8, axis=1)
    picture[1500:1560, 2000:2100] = (250, 210, 20)
    upload(page, picture, "wide-view.jpg")
    page.mouse.move(*on_screen(page, 2050, 1530))
    page.keyboard.down("Control")
    for _ in range(8):
        page.mouse.wheel(0, -120)
    page.keyboard.up("Control")
    page.get_by_role("button", name="Reset zoom").wait_for()
    mouse_drag(page, (2000, 1500), (2100, 1560))
    ranking(page)
    page.screenshot(path=PICTURES / "tiny-object.png")
    assert near(shown_boxes(page)[0], (2000, 1500, 100, 60), 2)


@pytest.mark.parametrize(("width", "height"), [(6000, 150), (150, 6000)])
def test_a_very_wide_or_tall_picture_starts_large_enough_to_draw(page: Page, width: int, height: int) -> None:
    picture = np.random.default_rng(7).integers(0, 255, (height, width, 3), dtype=np.uint8)
    upload(page, picture, "long.jpg")
    (x0, y0), (x1, y1) = on_screen(page, 0, 0), on_screen(page, 100, 100)
    assert (x1 - x0) == pytest.approx(y1 - y0) and x1 - x0 > 120  # at least 180 pixels for 150
    bar = page.locator(".bar:visible")
    expect(bar).to_have_count(1)
    box = place(bar)
    page.mouse.click(box["x"] + box["width"] - 8, box["y"] + box["height"] - 8)
    far = (width - 90, 30) if width > height else (30, height - 90)
    mouse_drag(page, far, (far[0] + 60, far[1] + 60))
    ranking(page)
    assert near(shown_boxes(page)[0], (*far, 60, 60), 2)


def test_one_finger_draws_and_two_fingers_zoom(phone: Page, data: Path) -> None:
    choose_sample(phone)
    canvas_of(phone).scroll_into_view_if_needed()
    touch = phone.context.new_cdp_session(phone)
    x, y, w, h = sample_box(data)
    swipe(touch, [(on_screen(phone, x, y), on_screen(phone, x + w, y + h))])
    assert near(shown_boxes(phone)[0], (x, y, w, h), 4)
    assert others_first(ranking(phone))
    canvas_of(phone).scroll_into_view_if_needed()
    phone.screenshot(path=PICTURES / "touch.png")
    before, (cx, cy) = shown_boxes(phone), on_screen(phone, 320, 240)
    swipe(touch, [((cx - 30, cy), (cx - 90, cy)), ((cx + 30, cy), (cx + 90, cy))])
    assert shown_boxes(phone) == before
    left, right = on_screen(phone, 280, 240)[0], on_screen(phone, 360, 240)[0]
    assert right - left == pytest.approx(3 * 80 * place(canvas_of(phone))["width"] / 640, rel=0.1)
    swipe(touch, [(on_screen(phone, 300, 220), on_screen(phone, 360, 260))])
    ranking(phone)
    settle(phone)
    reset = phone.get_by_role("button", name="Reset zoom")
    reset.tap()
    expect(reset).to_be_hidden()
    assert on_screen(phone, 640, 0)[0] - on_screen(phone, 0, 0)[0] == pytest.approx(
        place(canvas_of(phone))["width"], abs=1
    )


def swipe(touch: CDPSession, fingers: list[tuple[Point, Point]], steps: int = 8) -> None:
    """Move fingers from their first to their second point."""

    def event(kind: str, points: list[Point]) -> None:
        spots = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(points)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": spots})

    for count in range(1, len(fingers) + 1):
        event("touchStart", [start for start, _ in fingers[:count]])
    for step in range(1, steps + 1):
        share = step / steps
        event("touchMove", [(a + (c - a) * share, b + (d - b) * share) for (a, b), (c, d) in fingers])
    event("touchEnd", [])
