"""The Evaluate page in a real browser: figures of a marked search, and more marks for one that has too few."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from boxfind.searches.query_thumbnail import kept
from boxfind.searches.saved_searches import Saved, SavedSearches
from boxfind.settings import Settings
from retrieval.images.decode import LoadedImage, load_image
from retrieval.request import Example, Request
from retrieval.types import Box
from tests.browser.acting import LAPTOP, OBJECT, PHONE, PICTURES, TABLET, sample_box, serious

QUERY = "f" * 64


def save(data: Path, name: str, right: int, wrong: int) -> None:
    """Save a search for the coffee cup with this many results marked."""
    settings = Settings.load(data=data)
    image = load_image(data / "sample" / "queries" / f"{OBJECT}-in-scene-1.jpg")
    box = Box.from_xywh(*sample_box(data))
    images = sorted(path.name for path in settings.gallery_dir.iterdir())
    cups = [image for image in images if image.startswith(f"{OBJECT}-")]
    others = [image for image in images if image not in cups]
    asked = Request((Example(QUERY, box),), positives=tuple(cups[:right]), negatives=tuple(others[:wrong]))
    request, pictures = kept(asked, {QUERY: LoadedImage.of(image)}, set())
    SavedSearches(settings.searches_file).save(Saved(name, request, datetime.now(UTC), "", ()), pictures)


@pytest.mark.parametrize("size", [LAPTOP, TABLET, PHONE], ids=["laptop", "tablet", "phone"])
def test_figures_come_from_marks_and_missing_marks_are_asked_for(
    page: Page, address: str, data: Path, size: ViewportSize
) -> None:
    save(data, "Marked cup", right=5, wrong=1000)
    save(data, "Barely marked cup", right=2, wrong=0)
    page.set_viewport_size(size)
    page.goto(f"{address}/evaluate")
    page.get_by_text(re.compile(r"On average 10\.0 of the first 10 results are marked")).wait_for()
    expect(page.get_by_test_id("stMetric").filter(has_text="Right in the first 10")).to_contain_text("0.500")
    asked = page.get_by_text(re.compile(r"^Barely marked cup.*of the first 10 results (is|are) marked", re.DOTALL))
    expect(asked).to_be_visible()
    page.wait_for_timeout(1500)
    page.screenshot(path=PICTURES / f"evaluate-{size['width']}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert serious(page) == []
    page.get_by_role("button", name="Open and mark").last.click()
    page.get_by_role("heading", name="Find an object").wait_for()
    page.get_by_text("2 right, 0 wrong").wait_for()
