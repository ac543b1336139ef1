"""Actions and readings shared by the browser tests, and the sample they use."""

import csv
import io
import re
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from playwright.sync_api import Page, ViewportSize, expect

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
    """A PNG of coloured concentric circles."""
    radius = np.hypot(*np.meshgrid(np.arange(width) - 0.47 * width, np.arange(height) - 0.46 * height))
    picture = np.stack([128 + 127 * np.sin(radius / spread) for spread in (3, 5, 7)], axis=2)
    file = io.BytesIO()
    Pillow.fromarray(picture.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def drag(page: Page, box: tuple[int, int, int, int], picture_width: int, steps: int = 6) -> None:
    """Draw a box with the mouse on the canvas. The box is in pixels of the picture."""
    canvas = page.locator("canvas").last
    for _ in range(10):  # setting a box redraws it, and it ignores the mouse until its background has loaded
        drawn = canvas.element_handle()
        page.wait_for_timeout(800)
        if drawn.evaluate("canvas => canvas.isConnected") and drawn.is_visible():
            break
    canvas.scroll_into_view_if_needed()
    place = canvas.bounding_box()
    assert place is not None
    scale = place["width"] / picture_width
    x, y, w, h = (side * scale for side in box)
    page.mouse.move(place["x"] + x, place["y"] + y)
    page.mouse.down()
    page.mouse.move(place["x"] + x + w / 2, place["y"] + y + h / 2, steps=steps)
    page.mouse.move(place["x"] + x + w, place["y"] + y + h, steps=steps)
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
    page.get_by_role("radio", name="Sample").click()
    page.get_by_role("combobox", name="Sample picture").fill(SAMPLE)
    page.get_by_role("option", name=SAMPLE, exact=True).click()
    page.get_by_text(re.compile(rf"^{SAMPLE}, \d+ x \d+ pixels")).wait_for()
