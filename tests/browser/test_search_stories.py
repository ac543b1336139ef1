"""Stories about search results in a real browser: boxes, feedback, export, keyboard, accessibility."""

import csv
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image as Pillow
from playwright.sync_api import Locator, Page, expect

from tests.browser.acting import (
    PHONE,
    PICTURES,
    TABLET,
    choose_sample,
    drag,
    others_first,
    place,
    ranking,
    sample_box,
    search,
    serious,
    settle,
)

Scheme = Literal["light", "dark"]


def test_a_second_box_changes_the_results_until_removed(page: Page, data: Path) -> None:
    choose_sample(page)
    page.get_by_text("Several boxes").click()
    drag(page, sample_box(data), 640)
    alone = ranking(page)
    drag(page, (20, 20, 150, 110), 640)
    role = page.get_by_role("combobox", name=re.compile("^Box 2, from"))
    expect(role).to_be_visible()
    page.wait_for_timeout(1500)
    page.screenshot(path=PICTURES / "two-boxes.png")
    assert ranking(page) != alone
    page.get_by_role("button", name="Remove box 2").click()
    expect(page.get_by_role("button", name="Remove box 2")).to_have_count(0)
    assert ranking(page) == alone


def test_thumbs_change_the_results_and_back_of_the_browser_undoes_them(page: Page, data: Path) -> None:
    before = search(page, data)
    page.get_by_role("button", name=f"Wrong: less like this: 1  {before[0]}").click()
    expect(page.get_by_role("img", name=re.compile(rf"^Rank 1: {re.escape(before[0])}"))).to_have_count(0)
    page.get_by_text("1 wrong").wait_for()
    assert before[0] not in ranking(page)
    page.go_back()
    expect(page.get_by_text("1 wrong")).to_have_count(0)
    settle(page)
    assert ranking(page) == before


def test_results_can_be_exported_and_opened_again(page: Page, data: Path) -> None:
    found = search(page, data)
    page.get_by_role("button", name="Export").click()
    table = taken(page, "CSV").decode("utf-8-sig")
    assert [row["image"] for row in csv.DictReader(io.StringIO(table))][:10] == found
    assert [hit["image"] for hit in json.loads(taken(page, "JSON"))["hits"]][:10] == found
    assert [image["file_name"] for image in json.loads(taken(page, "COCO"))["images"]][:10] == found
    with zipfile.ZipFile(io.BytesIO(taken(page, "Crops"))) as pack:
        crops = [name for name in pack.namelist() if name.endswith(".jpg")]
        assert len(crops) >= 10 and all(not Pillow.open(pack.open(name)).getexif() for name in crops)
    page.set_content(taken(page, "Contact sheet").decode())
    assert page.get_by_role("img").count() >= 10 and page.get_by_text(found[0]).count() >= 1


def taken(page: Page, kind: str) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name=kind, exact=True).click()
    return download.value.path().read_bytes()


def test_a_saved_search_can_be_reopened_after_a_build_and_in_a_new_session(page: Page, data: Path) -> None:
    found = search(page, data)
    first = page.get_by_role("img", name=re.compile("^Rank 1: "))
    settle(page)
    before = place(first)
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_label("Name of the search").fill("A cup")
    page.get_by_test_id("stFormSubmitButton").get_by_role("button").click()
    page.get_by_text("Saved as A cup").wait_for()
    settle(page)
    assert place(first) == before
    page.reload()
    page.get_by_role("link", name="Index").click()
    page.get_by_role("button", name="Update index").click()
    page.get_by_text("The index is up to date.").wait_for()
    page.get_by_role("link", name="Search", exact=True).click()
    page.get_by_role("button", name="Saved").click()
    page.get_by_role("menuitem", name="A cup").click()
    again = ranking(page)
    assert len(set(found) & set(again)) >= 8 and others_first(again)


def test_a_search_works_with_the_keyboard_alone(page: Page) -> None:
    tab_to(page, page.get_by_role("radio", name="File"))
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("combobox", name="Sample picture"))
    page.keyboard.type("Coffee cup in scene 1")
    page.keyboard.press("Enter")
    page.get_by_text(re.compile(r"Coffee cup in scene 1, \d+ x \d+ pixels")).wait_for()
    page.keyboard.press("Escape")
    tab_to(page, page.get_by_role("button", name="Whole picture"))
    page.keyboard.press("w")
    found = ranking(page)
    tab_to(page, page.get_by_role("list", name="Results, best first").get_by_role("listitem").first)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_text(found[1]).wait_for()
    dialog.get_by_role("button", name="Zoom in").wait_for()  # the picture listens to the keys
    page.keyboard.press("ArrowRight")
    dialog.get_by_text(found[2]).wait_for()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.keyboard.press("y")  # the tile that was opened has the focus again
    page.get_by_text("1 right, 0 wrong").wait_for()
    ranking(page)  # until the new order is complete
    page.keyboard.press("n")  # and keeps it while the results change
    page.get_by_text("0 right, 1 wrong").wait_for()
    expect(page.get_by_role("img", name=re.compile(rf"^Rank \d+: {re.escape(found[1])}"))).to_have_count(0)


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the target or an element in it has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if target.evaluate("target => target.matches(':focus, :focus-within')"):
            return
    raise AssertionError(f"Tab does not lead to {target}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["", "gallery", "catalogue", "evaluate"])
def test_r56_axe_finds_no_serious_violations(page: Page, address: str, data: Path, path: str, scheme: Scheme) -> None:
    page.emulate_media(color_scheme=scheme)
    if path:
        page.goto(f"{address}/{path}")
        page.get_by_role("heading", name=path.capitalize()).last.wait_for()
    else:
        search(page, data)
    for width in (1440, TABLET["width"], PHONE["width"]):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(2000)
        page.screenshot(path=PICTURES / f"{path or 'search'}-{width}{'-dark' * (scheme == 'dark')}.png")
        assert serious(page) == [], width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_r56_axe_finds_no_serious_violations_in_dialogs_and_in_a_group(page: Page, data: Path, scheme: Scheme) -> None:
    page.emulate_media(color_scheme=scheme)
    search(page, data)
    page.get_by_role("button", name=re.compile("^Right: more like this: 1 ")).click()
    page.get_by_text("1 right, 0 wrong").wait_for()
    page.get_by_role("img", name=re.compile("^Rank 1: ")).click()
    expect(page.get_by_role("dialog").get_by_role("cell", name=re.compile("^Verification: "))).to_be_visible()
    looks_right(page, f"closer-{scheme}")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Catalogue").click()
    page.get_by_text(re.compile(r"^\d+ groups of \d+ pictures")).wait_for()
    page.get_by_role("button", name=re.compile(r"\d+ pictures")).first.click()
    tiles = page.get_by_role("list", name="Pictures of the group")
    tiles.get_by_role("button", name=re.compile("^Select")).first.click()
    page.get_by_text("1 selected").wait_for()
    looks_right(page, f"group-{scheme}")
    tiles.get_by_role("button", name=re.compile("^Move to another group")).first.click()
    page.get_by_role("dialog").wait_for()
    looks_right(page, f"group-dialog-{scheme}")


def looks_right(page: Page, name: str) -> None:
    page.wait_for_timeout(1000)
    page.screenshot(path=PICTURES / f"{name}.png")
    assert serious(page) == [], name
