"""Catalogue stories in a real browser."""

import csv
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting import LAPTOP, PHONE, PICTURES, alts, go_to, settle
from tests.browser.conftest import PROJECT

SUMMARY = re.compile(r"^(\d+) groups of [\d,]+ pictures")


def test_a_group_is_named_opened_and_exported(page: Page, data: Path) -> None:
    go_to(page, "Catalogue")
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


def open_catalogue(page: Page) -> None:
    page.get_by_role("link", name="Catalogue").click()
    page.get_by_text(SUMMARY).wait_for()


def group_count(page: Page) -> int:
    found = SUMMARY.match(page.get_by_text(SUMMARY).inner_text())
    assert found
    return int(found[1])


def open_group(page: Page, number: int) -> None:
    settle(page)
    page.get_by_role("button", name=re.compile(r"^\S* ?\d+ pictures$")).nth(number - 1).click()
    page.get_by_role("list", name="Pictures of the group").wait_for()


def names(page: Page) -> set[str]:
    settle(page)
    tiles = page.get_by_role("list", name="Pictures of the group").get_by_role("listitem")
    return {alt.removesuffix(", outlier") for alt in alts(tiles.get_by_role("img"))}


def test_merged_groups_are_still_merged_after_a_rebuild(page: Page, data: Path) -> None:
    page.set_viewport_size(LAPTOP)
    open_catalogue(page)
    groups = group_count(page)
    open_group(page, 2)
    before = names(page)
    page.get_by_role("button", name="Merge with…").click()
    others = page.get_by_role("list", name="Groups, most similar first")
    others.wait_for()
    page.wait_for_timeout(1000)
    page.screenshot(path=PICTURES / "choose-group.png")
    others.get_by_role("listitem").first.get_by_role("button").click()
    page.get_by_text("merged.").wait_for()
    expect(others).to_have_count(0)
    expect(page.get_by_text(re.compile(rf"^{groups - 1} groups of"))).to_be_visible()
    merged = names(page)
    assert merged > before
    page.screenshot(path=PICTURES / "merged-group.png")

    environment = os.environ | {"BOXFIND_DATA": str(data), "BOXFIND_OFFLINE": "1"}
    subprocess.run([sys.executable, "cli.py", "build", "--full"], cwd=PROJECT, env=environment, check=True)
    page.reload()
    expect(page.get_by_text(re.compile(rf"^{groups - 1} groups of"))).to_be_visible()
    open_group(page, 1)
    assert names(page) == merged
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text(re.compile(rf"^{groups} groups of"))).to_be_visible()


@pytest.mark.parametrize("width", [390, 1366])
def test_selected_pictures_leave_their_group(page: Page, address: str, width: int) -> None:
    page.set_viewport_size(PHONE | {"width": width})
    page.goto(f"{address}/catalogue")
    page.get_by_text(SUMMARY).wait_for()
    open_group(page, 1)
    everything = page.get_by_role("list", name="Pictures of the group").get_by_role("listitem")
    count = everything.count()
    for tile in (everything.nth(0), everything.nth(1)):
        tile.get_by_role("button", name=re.compile("^Select: ")).click()
        expect(tile.get_by_role("button", name=re.compile("^Select: "))).to_have_attribute("aria-pressed", "true")
    page.get_by_text("2 selected").wait_for()
    page.screenshot(path=PICTURES / f"selected-pictures-{width}.png")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Not this", exact=True).click()
    expect(everything).to_have_count(count - 2)
    page.get_by_role("button", name="Undo").click()
    expect(everything).to_have_count(count)
