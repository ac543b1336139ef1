"""Regions from proposals, shown in a real browser on a gallery of this test."""

import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.acting import PICTURES, drag, rings, upload_rings
from tests.browser.conftest import new_page, serving
from tests.tiny import eight_pictures


def test_a_proposed_region_is_outlined(browser: Browser, networks: Path, tmp_path: Path) -> None:
    """Without weights, proposals replace the detector and the page says so."""
    (tmp_path / "networks").symlink_to(networks)
    gallery = eight_pictures(tmp_path / "gallery")
    (gallery / "rings.png").write_bytes(rings(320, 240))
    settings = {"BOXFIND_DATA": str(tmp_path), "BOXFIND_GALLERY": str(gallery), "BOXFIND_ADMIN": "local"}
    settings |= {"BOXFIND_OFFLINE": "1"}
    with serving(settings | {"BOXFIND_REGIONS": "whole,detector"}, tmp_path) as address:
        visitor = new_page(browser, viewport={"width": 1440, "height": 1000})
        visitor.goto(address)
        visitor.get_by_role("heading", name="Find an object").wait_for()
        expect(visitor.get_by_text("Using the region detector proposals")).to_be_visible()
        upload_rings(visitor, 320, 240)
        drag(visitor, (60, 40, 200, 150), 320)
        expect(visitor.get_by_role("img", name=re.compile(r"^Rank 1: rings\.png"))).to_be_visible()
        visitor.get_by_role("link", name="Gallery").click()
        visitor.get_by_role("img", name="rings.png", exact=True).click()
        visitor.get_by_role("combobox", name="Indexed regions").click()
        visitor.get_by_role("option", name=re.compile("^Proposals")).click()
        visitor.screenshot(path=PICTURES / "proposals.png")
        visitor.close()
