"""Text query stories in a real browser."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.acting import PHONE, PICTURES, choose_sample, drag, ranking, sample_box


def test_a_sentence_finds_matching_pictures(page: Page, data: Path) -> None:
    words = page.get_by_role("textbox", name="Description")
    words.fill("a cup of coffee")
    words.press("Enter")
    first = page.get_by_role("img", name=re.compile(r"^Rank 1: (coffee-cup|striped-mug)-\d.jpg, possible match"))
    expect(first).to_be_visible()
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


def test_words_rerank_the_results_of_a_box(page: Page, data: Path) -> None:
    choose_sample(page)
    drag(page, sample_box(data), 640)
    before = ranking(page)
    words = page.get_by_role("textbox", name="Description")
    words.fill("blue")
    words.press("Enter")
    for _ in range(60):
        if ranking(page) != before:
            break
        page.wait_for_timeout(500)
    assert ranking(page) != before
    page.go_back()
    page.locator("input[aria-label=Description][value='']").wait_for()
    expect(words).to_have_count(1)
