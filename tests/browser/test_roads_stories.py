"""Other roads into the gallery: words, and regions that were found in the pixels. Done in a real browser."""

import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.acting import PHONE, PICTURES, choose_sample, drag, ranking, rings, sample_box
from tests.browser.conftest import serving
from tests.tiny import eight_pictures


def test_a_sentence_finds_what_it_says_and_a_box_joins_it(page: Page, data: Path) -> None:
    words = page.get_by_role("textbox", name="In words")
    words.fill("a cup of coffee")
    words.press("Enter")
    first = page.get_by_role("img", name=re.compile(r"^Rank 1: (coffee-cup|striped-mug)-\d.jpg, possible match"))
    expect(first).to_be_visible(timeout=90_000)
    found = ranking(page)
    assert sum(name.startswith(("coffee-cup-", "striped-mug-")) for name in found[:5]) >= 4
    page.wait_for_timeout(1000)
    page.screenshot(path=PICTURES / "words.png")
    page.get_by_role("img", name=re.compile(r"^Rank 1: ")).click()
    expect(page.get_by_role("dialog").get_by_role("cell", name=re.compile("^Words: "))).to_be_visible()
    page.keyboard.press("Escape")
    page.set_viewport_size(PHONE)
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_words_choose_among_what_a_box_has_found(page: Page, data: Path) -> None:
    choose_sample(page)
    drag(page, sample_box(data), 640)
    before = ranking(page)
    words = page.get_by_role("textbox", name="In words")
    words.fill("blue")
    words.press("Enter")
    for _ in range(60):
        if ranking(page) != before:
            break
        page.wait_for_timeout(500)
    assert ranking(page) != before
    page.get_by_role("button", name=re.compile("^Back")).click()
    expect(words).to_have_value("")


def test_a_place_that_was_found_in_the_pixels_is_outlined(browser: Browser, tmp_path: Path) -> None:
    """Without weights the detector's place is taken by proposals, and the page says so."""
    gallery = eight_pictures(tmp_path / "gallery")
    (gallery / "rings.png").write_bytes(rings(320, 240))
    settings = {"BOXFIND_DATA": str(tmp_path), "BOXFIND_GALLERY": str(gallery), "BOXFIND_ADMIN": "local"}
    settings |= {"BOXFIND_OFFLINE": "1"}
    with serving(settings | {"BOXFIND_REGIONS": "whole,detector"}, tmp_path) as address:
        visitor = browser.new_page(viewport={"width": 1440, "height": 1000})
        visitor.set_default_timeout(30_000)
        visitor.goto(address)
        visitor.get_by_role("heading", name="Find an object").wait_for(timeout=120_000)
        expect(visitor.get_by_text("Regions come from proposals")).to_be_visible()
        visitor.locator("input[type=file]").set_input_files(
            {"name": "rings.png", "mimeType": "image/png", "buffer": rings(320, 240)}
        )
        visitor.get_by_text("rings.png, 320 x 240 pixels").wait_for()
        drag(visitor, (60, 40, 200, 150), 320)
        expect(visitor.get_by_role("img", name=re.compile(r"^Rank 1: rings\.png"))).to_be_visible()
        visitor.get_by_role("link", name="Gallery").click()
        visitor.get_by_role("img", name="rings.png", exact=True).click()
        visitor.get_by_role("combobox", name="Regions that are compared").click()
        visitor.get_by_role("option", name=re.compile("^Proposals")).click()
        visitor.screenshot(path=PICTURES / "proposals.png")
        visitor.close()
