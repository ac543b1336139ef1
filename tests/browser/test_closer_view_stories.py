"""Stories about the closer view: it fits the screen, keys, zoom, and downloads of originals."""

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests.browser.acting import LAPTOP, PHONE, PICTURES, place, serious
from tests.browser.conftest import new_page, serving

PORTRAIT, LANDSCAPE = "shelf/cup-portrait.jpg", "cup-landscape.jpg"


def scene(seed: int) -> Pillow.Image:
    """A landscape with many corners."""
    rng = np.random.default_rng(seed)
    picture = np.full((900, 1200, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(200):
        x, y, w, h = rng.integers(0, 1150), rng.integers(0, 850), *rng.integers(10, 200, 2)
        picture[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    return Pillow.fromarray(picture)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery with one scene in a portrait and in landscapes, with camera metadata."""
    folder = tmp_path_factory.mktemp("photographs")
    (folder / "shelf").mkdir()
    exif = Pillow.Exif()
    exif[0x010F] = "Camera of the story"
    for seed in range(1, 10):
        scene(seed).save(folder / f"other-{seed}.jpg")
    scene(0).save(folder / LANDSCAPE, quality=92, exif=exif)
    scene(0).resize((500, 375)).save(folder / "cup-small.jpg", quality=92, exif=exif)
    tall = Pillow.new("RGB", (900, 1600), "#667788")
    tall.paste(scene(0).resize((900, 675)), (0, 500))
    tall.save(folder / PORTRAIT, quality=92, exif=exif)
    return folder


@pytest.fixture(scope="module")
def settings(data: Path, photographs: Path) -> dict[str, str]:
    return {"BOXFIND_DATA": str(data), "BOXFIND_OFFLINE": "1", "BOXFIND_GALLERY": str(photographs)}


@pytest.fixture(scope="module")
def gallery_address(settings: dict[str, str], photographs: Path) -> Iterator[str]:
    with serving(settings | {"BOXFIND_ADMIN": "local"}, photographs.parent) as started:
        yield started


@pytest.fixture
def laptop(browser: Browser, gallery_address: str) -> Iterator[Page]:
    """The Gallery page on a laptop, for an administrator on this machine."""
    visitor = new_page(browser, viewport=LAPTOP)
    to_gallery(visitor, gallery_address)
    yield visitor
    visitor.close()


def to_gallery(page: Page, address: str) -> None:
    page.goto(f"{address}/gallery")
    tile(page, LANDSCAPE).wait_for()  # includes the first build


def tile(page: Page, name: str) -> Locator:
    return page.get_by_role("list").get_by_role("img", name=name)


def view(page: Page) -> Locator:
    """The picture in the dialog."""
    return page.get_by_role("dialog").locator("svg[role=group]")


def shows(page: Page, name: str) -> None:
    expect(page.get_by_role("dialog").get_by_text(re.compile(rf"^\d+ of \d+ · {re.escape(name)}"))).to_be_visible()
    expect(view(page).get_by_role("img", name=name)).to_be_attached()


def is_at(dialog: Locator, number: int) -> None:
    expect(dialog.get_by_text(re.compile(rf"^{number} of \d+"))).to_be_visible()


def search_for_look_alikes(page: Page, name: str) -> None:
    page.get_by_role("button", name=f"Find look-alikes of the whole picture: {name}").click()
    page.get_by_role("img", name=re.compile(r"^Rank 1: ")).wait_for()


def open_result(page: Page, name: str) -> None:
    page.get_by_role("list").get_by_role("img", name=re.compile(rf"^Rank \d+: .*{re.escape(Path(name).name)}")).click()
    shows_result(page, name)


def shows_result(page: Page, name: str) -> None:
    expect(
        view(page).get_by_role("img", name=re.compile(rf"^Rank \d+: .*{re.escape(Path(name).name)}"))
    ).to_be_attached()


def visible_part(page: Page) -> list[float]:
    return [float(number) for number in (view(page).get_attribute("viewBox") or "").split(" ")]


def fits_screen(page: Page, element: Locator) -> bool:
    box, size = place(element), page.viewport_size
    assert size is not None
    return (
        box["x"] >= 0
        and box["y"] >= 0
        and box["x"] + box["width"] <= size["width"] + 1
        and box["y"] + box["height"] <= size["height"] + 1
    )


@pytest.mark.parametrize("screen", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_portraits_and_landscapes_fit_on_one_screen(laptop: Page, screen: ViewportSize) -> None:
    search_for_look_alikes(laptop, LANDSCAPE)
    laptop.set_viewport_size(screen)
    for name in (PORTRAIT, LANDSCAPE):
        open_result(laptop, name)
        laptop.wait_for_timeout(500)
        laptop.screenshot(path=PICTURES / f"closer-{screen['width']}-{Path(name).stem}.png")
        dialog = laptop.get_by_role("dialog")
        outline = view(laptop).locator("rect.line").first
        facts = dialog.get_by_text(re.compile(r"Similarity \(cosine\) \d\.\d\d"))
        for element in (view(laptop), outline, facts, dialog.get_by_role("button", name="Next")):
            assert fits_screen(laptop, element)
        x, y, width, height = visible_part(laptop)
        size = (900, 1600) if name == PORTRAIT else (1200, 900)
        assert x <= 0.5 and y <= 0.5 and x + width >= size[0] - 0.5 and y + height >= size[1] - 0.5
        laptop.keyboard.press("Escape")
        expect(dialog).to_have_count(0)


def test_arrow_keys_step_after_every_switch(laptop: Page) -> None:
    tile(laptop, LANDSCAPE).click()
    dialog = laptop.get_by_role("dialog")
    shows(laptop, LANDSCAPE)
    dialog.get_by_role("combobox", name="Indexed regions").click()
    laptop.get_by_role("option", name=re.compile("^Grid, level 1")).click()
    expect(view(laptop).locator("rect.line").first).to_be_visible()
    laptop.keyboard.press("ArrowRight")
    shows(laptop, "cup-small.jpg")
    laptop.keyboard.press("ArrowLeft")
    shows(laptop, LANDSCAPE)
    laptop.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    search_for_look_alikes(laptop, LANDSCAPE)
    open_result(laptop, LANDSCAPE)
    dialog.get_by_text(re.compile(r"Show \d+ matching details?")).click()
    connected = view(laptop).get_by_role("img", name=re.compile("of your box connected to the picture"))
    expect(connected).to_be_attached()
    laptop.keyboard.press("ArrowRight")
    is_at(dialog, 2)
    expect(dialog.get_by_role("switch")).to_be_checked()
    dialog.get_by_text(re.compile("matching details?$")).click()
    expect(connected).to_have_count(0)
    laptop.keyboard.press("ArrowLeft")
    is_at(dialog, 1)
    dialog.get_by_role("button", name="Right", exact=True).click()
    expect(dialog.get_by_test_id("stBaseButton-primary").last).to_have_text(re.compile("Right$"))
    shows_result(laptop, LANDSCAPE)  # the dialog is new, as are the results
    laptop.keyboard.press("ArrowRight")
    is_at(dialog, 2)


def test_a_picture_is_enlarged_moved_and_shown_whole_again(laptop: Page) -> None:
    tile(laptop, LANDSCAPE).click()
    shows(laptop, LANDSCAPE)
    whole = visible_part(laptop)
    box = place(view(laptop))
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    laptop.mouse.dblclick(*middle)
    enlarged = visible_part(laptop)
    assert enlarged[2] == pytest.approx(whole[2] / 2.5, rel=0.01)
    laptop.mouse.move(*middle)
    laptop.mouse.wheel(0, -120)
    laptop.wait_for_timeout(100)
    assert visible_part(laptop)[2] < enlarged[2]
    before = visible_part(laptop)
    laptop.mouse.down()
    laptop.mouse.move(middle[0] - 80, middle[1], steps=4)
    laptop.mouse.up()
    assert visible_part(laptop)[0] > before[0]
    laptop.keyboard.press("Shift+ArrowDown")
    assert visible_part(laptop)[1] > before[1]
    laptop.get_by_role("button", name="Reset zoom").click()
    assert visible_part(laptop) == whole
    laptop.get_by_role("button", name="Zoom in").click()
    assert visible_part(laptop)[2] < whole[2]
    laptop.keyboard.press("ArrowRight")
    shows(laptop, "cup-small.jpg")
    laptop.keyboard.press("ArrowLeft")
    shows(laptop, LANDSCAPE)
    assert visible_part(laptop) == whole


def test_the_original_and_a_zip_of_originals_have_the_bytes_of_the_files(laptop: Page, photographs: Path) -> None:
    search_for_look_alikes(laptop, LANDSCAPE)
    open_result(laptop, PORTRAIT)
    dialog = laptop.get_by_role("dialog")
    dialog.get_by_role("button", name="File").click()
    expect(laptop.get_by_text(str(photographs / PORTRAIT))).to_be_visible()
    name, original = downloaded(laptop, "Download original")
    assert (name, original) == ("cup-portrait.jpg", (photographs / PORTRAIT).read_bytes())
    laptop.keyboard.press("Escape")
    laptop.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    laptop.get_by_role("button", name="Export").click()
    _, pack = downloaded(laptop, re.compile(r"^Originals \(.+ [kM]B\)"))
    with zipfile.ZipFile(io.BytesIO(pack)) as archive:
        for name in (PORTRAIT, LANDSCAPE):
            assert archive.read(name) == (photographs / name).read_bytes()


def test_a_visitor_sees_no_path_and_gets_no_metadata(
    browser: Browser, settings: dict[str, str], gallery_address: str, laptop: Page, photographs: Path
) -> None:
    with serving(settings | {"BOXFIND_ADMIN": "nobody"}, photographs.parent) as address:
        visitor = new_page(browser, viewport=LAPTOP)
        to_gallery(visitor, address)
        tile(visitor, PORTRAIT).click()
        visitor.get_by_role("dialog").get_by_role("button", name="File").click()
        name, picture = downloaded(visitor, "Download picture")
        assert str(photographs) not in visitor.content()
        expect(visitor.get_by_role("button", name="Open folder")).to_have_count(0)
        visitor.close()
    with Pillow.open(io.BytesIO(picture)) as jpeg:
        assert name == "cup-portrait.jpg" and jpeg.size == (900, 1600) and not jpeg.getexif()


def downloaded(page: Page, label: str | re.Pattern[str]) -> tuple[str, bytes]:
    with page.expect_download() as download:
        page.get_by_role("button", name=label).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violations_in_the_closer_view(laptop: Page, scheme: str) -> None:
    laptop.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    search_for_look_alikes(laptop, LANDSCAPE)
    for screen in (LAPTOP, PHONE):
        laptop.set_viewport_size(screen)
        open_result(laptop, PORTRAIT)
        laptop.wait_for_timeout(1000)
        laptop.screenshot(path=PICTURES / f"closer-{scheme}-{screen['width']}.png")
        assert serious(laptop) == []
        laptop.keyboard.press("Escape")
        expect(laptop.get_by_role("dialog")).to_have_count(0)
