"""A browser story of filters and albums."""

import csv
import io
import re

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.browser.acting import LAPTOP, PHONE, settle


def gallery_tiles(page: Page) -> Locator:
    return page.get_by_role("list", name="Pictures of the gallery").get_by_role("listitem")


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_pictures_are_filtered_selected_kept_in_an_album_exported_and_searched(
    page: Page, address: str, size: ViewportSize
) -> None:
    page.set_viewport_size(size)
    page.goto(f"{address}/gallery")
    tiles, name = gallery_tiles(page), f"Cups {size['width']}"
    tiles.first.wait_for()
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("radio", name="Landscape").click()
    expect(page.get_by_role("button", name="Filter (1)")).to_be_visible()
    expect(page).to_have_url(re.compile("gallery.shape=landscape"))
    page.reload()
    expect(page.get_by_role("button", name="Filter (1)")).to_be_visible()

    before = tiles.first.bounding_box()
    for number in (0, 1):
        select = tiles.nth(number).get_by_role("button", name="Select")
        select.click()
        expect(select).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="2 selected")).to_be_visible()
    page.evaluate("document.querySelector('.stMain').scrollTo(0, 0)")
    assert tiles.first.bounding_box() == before, "the tiles have moved"
    page.get_by_role("button", name="Add to album").click()
    field = page.locator(".stForm").get_by_role("combobox")
    field.fill(name)
    field.press("Enter")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text(f"Added 2 pictures to {name}.").wait_for()
    expect(page.locator(".stForm")).to_have_count(0)

    page.get_by_role("combobox", name="Album").click()
    page.get_by_role("option", name=name).click()
    expect(tiles).to_have_count(2)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    table = download.value.path().read_text(encoding="utf-8-sig")
    images = {row["image"] for row in csv.DictReader(io.StringIO(table))}
    assert download.value.suggested_filename == f"{name}.csv" and len(images) == 2
    page.keyboard.press("Escape")

    settle(page)
    tiles.first.get_by_role("button", name="Find look-alikes").click()
    results = page.get_by_role("list", name="Results").get_by_role("listitem")
    results.first.wait_for()
    settle(page)
    page.get_by_role("button", name="Filter").click()
    field = page.get_by_role("combobox", name="Album")
    field.fill(name)
    page.get_by_role("option", name=name).click()
    page.get_by_text(re.compile("2 of .* pictures pass")).wait_for()
    expect(results).to_have_count(2)
    for image in images:
        expect(results.get_by_role("img", name=f": {image}, ")).to_be_visible()
