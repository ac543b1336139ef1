"""Catalogue stories in a real browser."""

import csv
import io
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.acting import PICTURES


def test_a_group_is_named_opened_and_exported(page: Page, data: Path) -> None:
    page.get_by_role("link", name="Catalogue").click()
    page.get_by_role("heading", name="Catalogue").wait_for()
    page.get_by_text(re.compile(r"^\d+ groups of \d+ pictures")).wait_for()
    expect(page.get_by_role("button", name=re.compile(r"\d+ pictures")).first).to_be_visible()
    page.wait_for_timeout(1500)
    page.screenshot(path=PICTURES / "catalogue.png")
    field = page.get_by_role("textbox", name="Name of group 1", exact=True)
    field.fill("Something to sort out")
    field.press("Enter")
    page.get_by_role("img", name=re.compile("^Something to sort out: ")).wait_for()
    page.reload()
    expect(field).to_have_value("Something to sort out")
    page.get_by_role("button", name=re.compile(r"\d+ pictures")).first.click()
    page.get_by_role("heading", name="Something to sort out").wait_for()
    tiles = page.get_by_role("list", name="Pictures of the group").get_by_role("listitem")
    expect(tiles.first).to_be_visible()
    count = tiles.count()
    assert count >= 3
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    table = csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8-sig")))
    named = [row for row in table if row["label"] == "Something to sort out"]
    assert len(named) == count and {row["group"] for row in named} == {"1"}
    assert all((data / "sample" / "gallery" / row["image"]).exists() and int(row["w"]) > 0 for row in named)
    page.get_by_role("button", name="All groups").click()
    page.get_by_role("tab", name="Ungrouped").wait_for()
    expect(field).to_have_value("Something to sort out")
    page.wait_for_timeout(1000)  # until the rerun is complete
    field.fill("")
    field.press("Enter")
    expect(page.get_by_role("img", name=re.compile("^Group 1: "))).to_be_visible()
