"""Stories of builds that are started on the page."""

import re
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.browser.acting import PICTURES, choose_sample, drag, others_first, ranking, sample_box
from tests.browser.conftest import new_page


def test_r47_a_build_continues_while_pages_are_used_reloaded_and_closed(
    page: Page, browser: Browser, data: Path
) -> None:
    before = start_full_build(page, data)
    looking(page)
    page.get_by_role("link", name="Search", exact=True).click()
    choose_sample(page)
    drag(page, sample_box(data), 640)
    assert others_first(ranking(page))
    page.reload()
    looking(page)
    again = new_page(browser)
    again.goto(page.url)
    page.close()
    looking(again)
    again.get_by_text("The index is up to date.").wait_for()
    assert served(data) != before
    again.close()


def test_r36_cancel_stops_a_build_and_keeps_the_old_index(page: Page, data: Path) -> None:
    before = start_full_build(page, data)
    looking(page)
    page.screenshot(path=PICTURES / "building.png")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("the next build continues from there").first.wait_for()
    assert served(data) == before
    page.get_by_role("link", name="Search", exact=True).click()
    choose_sample(page)
    drag(page, sample_box(data), 640)
    assert others_first(ranking(page))


def start_full_build(page: Page, data: Path) -> str:
    """Start a full build. Returns the name of the generation served before."""
    page.get_by_role("link", name="Index").click()
    page.get_by_role("button", name="Rebuild index").click()
    before = served(data)
    page.get_by_role("button", name="Start rebuilding").click()
    return before


def served(data: Path) -> str:
    """The name of the served generation."""
    (index,) = (data / "indexes").iterdir()
    return (index / "CURRENT").read_text()


def looking(page: Page) -> None:
    page.get_by_text(re.compile(r"Reading pictures: \d+ of \d+")).first.wait_for()
