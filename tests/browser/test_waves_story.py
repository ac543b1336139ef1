"""A story of a first build: the search opens with the first pictures, and new matches are offered as they come."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image as Pillow
from playwright.sync_api import Browser, Page, expect

from boxfind.samples.draw import OBJECTS, Sample, draw_sample
from index.building.jobs import building
from index.storage.generation import current_folder
from index.storage.publishing import next_folder, point_current_at
from tests.browser.acting import LAPTOP, OBJECT, PHONE, PICTURES, alts, drag, place, settle, shown_boxes
from tests.browser.conftest import PROJECT, new_page, serving
from tests.waves import make_wave

QUERY = Sample(OBJECT, 5)
NAMES = [OBJECT, *[name for name in OBJECTS if name != OBJECT][:5]]
WAVES = (2, 3, 5)
"""Pictures of each object in the first wave, in the second one, and in all."""
FOUND = len(NAMES) * WAVES[-1]


@pytest.fixture(scope="module")
def waves(new_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three indexes, each with more pictures of the same gallery than the one before."""
    folder = tmp_path_factory.mktemp("waves")
    gallery, indexes = folder / "pictures", []
    gallery.mkdir()
    for number, most in enumerate(WAVES):
        for sample in (Sample(name, one) for name in NAMES for one in range(most)):
            Pillow.fromarray(draw_sample(sample)[0]).save(gallery / sample.file)
        indexes.append(folder / f"index-{number}")
        settings = {"BOXFIND_DATA": str(new_data), "BOXFIND_OFFLINE": "1", "BOXFIND_TEXT": "0"}
        command = [sys.executable, "cli.py", "build", "--gallery", str(gallery), "--index", str(indexes[-1])]
        subprocess.run(command, cwd=PROJECT, env=os.environ | settings, check=True)
        if most != WAVES[-1]:
            make_wave(indexes[-1], FOUND)
    return indexes


def publish(wave: Path, index: Path) -> None:
    """Serve the generation of another index here, as a build does."""
    folder = next_folder(index)
    shutil.copytree(current_folder(wave), folder)
    point_current_at(index, folder.name)


@contextmanager
def visitor(browser: Browser, waves: list[Path], index: Path, new_data: Path, **options: object) -> Iterator[Page]:
    """A visitor of the page while its index is built for the first time."""
    settings = {
        "BOXFIND_DATA": str(new_data),
        "BOXFIND_OFFLINE": "1",
        "BOXFIND_ADMIN": "local",
        "BOXFIND_GALLERY": str(waves[0].parent / "pictures"),
        "BOXFIND_INDEX": str(index),
    }
    with serving(settings, index) as address:
        page = new_page(browser, **options)
        page.goto(address)
        page.get_by_role("heading", name="Building the index").wait_for()
        yield page
        page.close()


def search(page: Page, folder: Path) -> list[str]:
    """Draw the box of the object on a picture that shows it. Returns the alternative texts of the results."""
    image, box = draw_sample(QUERY)
    file = folder / "query.png"
    Pillow.fromarray(image).save(file)
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_text(re.compile(r"^query\.png, \d+ x \d+ pixels")).wait_for()
    drag(page, box.xywh, image.shape[1])
    return results(page)


def results(page: Page) -> list[str]:
    tiles = page.get_by_role("img", name=re.compile(r"^Rank \d+: "))
    tiles.first.wait_for()
    settle(page)
    return alts(tiles)


def of_object(found: list[str]) -> int:
    return sum(f": {OBJECT}-" in alt and ", likely" in alt for alt in found)


@pytest.mark.parametrize("screen", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_r89_the_search_opens_with_the_first_wave_and_new_matches_are_offered(
    browser: Browser, waves: list[Path], new_data: Path, tmp_path: Path, screen: dict[str, int]
) -> None:
    index, name = tmp_path / "index", f"waves-{screen['width']}"
    index.mkdir()
    build = building(index)
    report = build.__enter__()
    report("Reading pictures", 10, FOUND)
    with visitor(browser, waves, index, new_data, viewport=screen) as page:
        page.screenshot(path=PICTURES / f"{name}-before.png")
        publish(waves[0], index)
        page.get_by_role("heading", name="Find an object").wait_for()  # nobody reloads the page
        report("Reading pictures", 12, FOUND)
        found = search(page, tmp_path)
        boxes = shown_boxes(page)
        assert of_object(found) == WAVES[0] and len(boxes) == 1
        expect(page.get_by_text(f"Searching 12 of {FOUND} pictures").first).to_be_visible()
        page.screenshot(path=PICTURES / f"{name}-first.png")

        page.get_by_role("img", name=re.compile(r"^Rank 1: ")).click()
        page.get_by_role("dialog").wait_for()
        publish(waves[1], index)
        page.get_by_text(f"Searching 18 of {FOUND} pictures").first.wait_for(state="attached")
        assert page.get_by_role("dialog").is_visible()
        page.screenshot(path=PICTURES / f"{name}-dialog.png")
        page.keyboard.press("Escape")

        offer = page.get_by_role("button", name="1 new match")
        offer.wait_for()
        first = page.get_by_role("img", name=re.compile(r"^Rank 1: "))
        before = place(first)
        assert results(page) == found and shown_boxes(page) == boxes
        offer.scroll_into_view_if_needed()
        page.screenshot(path=PICTURES / f"{name}-offer.png")
        rules = Axe().run(page, context={"include": [[".st-key-news"]]}).response
        assert not rules["violations"] and rules["passes"]
        offer.click()
        offer.wait_for(state="detached")
        settle(page)
        assert of_object(results(page)) == WAVES[1] and shown_boxes(page) == boxes
        assert place(first)["height"] == before["height"]

        publish(waves[2], index)
        page.get_by_role("button", name="2 new matches").click()
        expect(page.get_by_role("img", name=re.compile(rf": {OBJECT}-\d.*likely"))).to_have_count(WAVES[2])
        page.screenshot(path=PICTURES / f"{name}-all.png")

        page.get_by_role("img", name=re.compile(r"^Rank 1: ")).click()
        page.get_by_role("dialog").wait_for()
        build.__exit__(None, None, None)
        page.get_by_text("The index is up to date.").wait_for(state="attached")
        assert page.get_by_role("dialog").is_visible()
