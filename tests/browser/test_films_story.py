"""Story: an object is found in a film, which plays from there; a moment of another film is the query."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from playwright.sync_api import Browser, Page

from retrieval.types import Image
from tests.browser.acting import LAPTOP, OBJECT, PICTURES, drag, sample_box, serious, settle
from tests.browser.conftest import new_page, serving
from tests.films import film

SECONDS = 3


def scene(file: Path) -> Image:
    with Pillow.open(file) as picture:
        return np.asarray(picture.convert("RGB").resize((640, 480)))


@pytest.fixture(scope="module")
def scenes(data: Path) -> list[Image]:
    """Sample scenes: three with the object, then others."""
    files = sorted((data / "sample" / "gallery").glob("*.jpg"))
    shown = [file for file in files if file.name.startswith(OBJECT)][:3]
    return [scene(file) for file in shown + [file for file in files if not file.name.startswith(OBJECT)][::12]]


@pytest.fixture(scope="module")
def cinema(data: Path, scenes: list[Image], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server whose gallery has a film; the object is in its third and fifth scene."""
    folder = tmp_path_factory.mktemp("cinema")
    one, two, _, *others = scenes
    (folder / "trip.mp4").write_bytes(film([others[0], others[1], one, others[2], two], SECONDS))
    settings = {"BOXFIND_DATA": str(data), "BOXFIND_OFFLINE": "1", "BOXFIND_ADMIN": "local", "BOXFIND_TEXT": "0"}
    with serving(settings | {"BOXFIND_GALLERY": str(folder)}, folder.parent) as address:
        yield address


@pytest.fixture
def page(browser: Browser, cinema: str) -> Iterator[Page]:
    visitor = new_page(browser, viewport=LAPTOP)
    visitor.goto(cinema)
    visitor.get_by_role("heading", name="Find an object").wait_for()  # includes the build
    yield visitor
    visitor.close()


def test_a_moment_is_the_query_and_a_film_plays_from_the_result(page: Page, data: Path, scenes: list[Image]) -> None:
    query = film([scenes[4], scene(data / "sample" / "queries" / f"{OBJECT}-in-scene-1.jpg")], SECONDS)
    page.locator("input[type=file]").set_input_files({"name": "mine.mp4", "mimeType": "video/mp4", "buffer": query})
    page.get_by_text(re.compile(r"^mine\.mp4, at 0:00, ")).wait_for()
    settle(page)
    page.get_by_role("slider", name="Moment (of 0:06)").press("End")
    page.get_by_text(re.compile(r"^mine\.mp4, at 0:06, ")).wait_for()
    settle(page)
    page.get_by_role("button", name="0.1 seconds back").click()
    page.get_by_text(re.compile(r"^mine\.mp4, at 0:05\.90, ")).wait_for()
    settle(page)
    drag(page, sample_box(data), 640)
    best = page.get_by_role("img", name=re.compile(r"^Rank 1: trip\.mp4, at 0:"))
    best.wait_for()
    settle(page)
    page.screenshot(path=PICTURES / "films.png")
    alt = best.get_attribute("alt") or ""
    second = int(re.search(r"at 0:(\d\d)", alt)[1])  # type: ignore[index]
    assert 2 * SECONDS <= second < 3 * SECONDS or second >= 4 * SECONDS
    best.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text(re.compile(r"of \d+ · trip\.mp4, at 0:")).wait_for()
    settle(page)
    dialog.get_by_text(re.compile(f"Play from 0:{second:02}")).click()
    player = dialog.locator("video")
    player.wait_for()
    page.wait_for_function("() => document.querySelector('video')?.readyState > 0")
    assert player.evaluate("video => video.error === null && video.currentTime") >= second
    page.screenshot(path=PICTURES / "film-dialog.png")
    assert serious(page) == []
