"""Stories about what is never lost in a real browser: Back, Forward, reload, other pages, copied addresses, saving."""

import re

from playwright.sync_api import Browser, Page, expect

from tests.browser.acting import PHONE, PICTURES, choose_sample, go_to, ranking, settle, upload_rings, wait_for_page
from tests.browser.conftest import new_page

UPLOADED = re.compile(r"[?&]box=[\w-]{22}%3A")
OF_THE_GALLERY = re.compile(r"[?&]box=[0-9a-f]{64}%3A")


def search_with_an_upload(page: Page) -> list[str]:
    upload_rings(page)
    page.get_by_role("button", name="Whole picture Shortcut W").click()
    expect(page).to_have_url(UPLOADED)
    return ranking(page)


def search_with_a_result(page: Page) -> list[str]:
    settle(page)
    page.get_by_role("button", name="Search with this region").first.click()
    expect(page).to_have_url(OF_THE_GALLERY)
    return settled(page)


def settled(page: Page) -> list[str]:
    """The ranking once the page has stopped running."""
    settle(page)
    return ranking(page)


def test_back_forward_and_reload_keep_an_upload_and_a_picture_of_the_gallery(page: Page) -> None:
    first = search_with_an_upload(page)
    second = search_with_a_result(page)
    assert first != second
    page.go_back()
    page.get_by_text("rings.png, 640 x 480 pixels").wait_for()
    assert settled(page) == first
    page.reload()
    page.get_by_text("rings.png, 640 x 480 pixels").wait_for()
    assert settled(page) == first
    page.screenshot(path=PICTURES / "address-reloaded.png")
    page.go_forward()
    expect(page).to_have_url(OF_THE_GALLERY)
    page.get_by_text("rings.png, 640 x 480 pixels").wait_for(state="hidden")
    assert settled(page) == second
    page.reload()
    assert settled(page) == second


def test_a_copied_address_opens_in_another_browser(page: Page, browser: Browser) -> None:
    uploaded = search_with_an_upload(page)
    secret = page.url
    found = search_with_a_result(page)
    other = new_page(browser, viewport=PHONE)
    other.goto(page.url)
    assert settled(other) == found
    other.goto(secret)
    assert settled(other) == uploaded
    other.goto(re.sub(r"box=[\w-]{22}", f"box={22 * 'x'}", secret))
    other.get_by_text("The query picture is no longer available").wait_for()
    expect(other.get_by_role("img", name=re.compile("^Rank 1: "))).to_have_count(0)
    other.close()


def test_another_page_and_back_keeps_the_search(page: Page) -> None:
    choose_sample(page)
    page.get_by_role("button", name="Whole picture Shortcut W").click()
    found = settled(page)
    address = page.url
    go_to(page, "Gallery")
    page.go_back()
    wait_for_page(page, "Search")
    assert settled(page) == found and page.url == address
    go_to(page, "Catalogue")
    go_to(page, "Search")
    assert settled(page) == found
    expect(page).to_have_url(address)
    page.go_back()
    wait_for_page(page, "Catalogue")


def test_a_saved_search_opens_from_another_page_and_keeps_its_name(page: Page) -> None:
    choose_sample(page)
    page.get_by_role("button", name="Whole picture Shortcut W").click()
    settled(page)
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_label("Name of the search").fill("A scene")
    page.get_by_test_id("stFormSubmitButton").get_by_role("button").click()
    page.get_by_text("Saved as A scene").wait_for()
    expect(page.get_by_label("Name of the search")).to_have_count(0)
    found = settled(page)  # with the stored copy of the picture
    go_to(page, "Gallery")
    page.screenshot(path=PICTURES / "saved-on-gallery.png")
    page.get_by_role("button", name="Expand sidebar").click()
    page.get_by_role("button", name="A scene", exact=True).first.click()
    expect(page).to_have_url(OF_THE_GALLERY)
    assert settled(page) == found
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_label("Name of the search")).to_have_value("A scene")
