"""Story: an object is found on the pages of a document, and a page of another document is the query."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image as Pillow
from playwright.sync_api import Browser, Page, expect

from tests.browser.acting import LAPTOP, OBJECT, PICTURES, alts, drag, sample_box, serious, settle
from tests.browser.conftest import new_page, serving


def sheets(pictures: list[Path], kind: str = "PDF", **options: object) -> bytes:
    """A document with a picture of 640 pixels on each page, which has 960 pixels."""
    pages = []
    for file in pictures:
        page = Pillow.new("RGB", (800, 960), "white")
        with Pillow.open(file) as picture:
            page.paste(picture.resize((640, 640 * picture.height // picture.width)), (80, 100))
        pages.append(page)
    out = io.BytesIO()
    pages[0].save(out, kind, save_all=True, append_images=pages[1:], **options)
    return out.getvalue()


@pytest.fixture(scope="module")
def sample(data: Path) -> list[Path]:
    """Sample pictures: four with the object, then others."""
    files = sorted((data / "sample" / "gallery").glob("*.jpg"))
    shown = [file for file in files if file.name.startswith(OBJECT)][:4]
    return shown + [file for file in files if not file.name.startswith(OBJECT)][::9]


@pytest.fixture(scope="module")
def shop(data: Path, sample: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server whose gallery has a PDF catalogue and an animation."""
    folder = tmp_path_factory.mktemp("shop")
    one, two, three, _, *others = sample
    (folder / "catalogue.pdf").write_bytes(sheets([others[0], one, others[1], two, others[2]]))
    (folder / "slides.gif").write_bytes(sheets([others[3], three], "GIF", duration=500))
    settings = {"BOXFIND_DATA": str(data), "BOXFIND_OFFLINE": "1", "BOXFIND_ADMIN": "local", "BOXFIND_TEXT": "0"}
    with serving(settings | {"BOXFIND_GALLERY": str(folder)}, folder.parent) as address:
        yield address


@pytest.fixture
def page(browser: Browser, shop: str) -> Iterator[Page]:
    visitor = new_page(browser, viewport=LAPTOP)
    visitor.goto(shop)
    visitor.get_by_role("heading", name="Find an object").wait_for()  # includes the build
    yield visitor
    visitor.close()


def test_a_page_is_the_query_and_pages_are_the_results(page: Page, data: Path, sample: list[Path]) -> None:
    document = sheets([sample[5], data / "sample" / "queries" / f"{OBJECT}-in-scene-1.jpg"])
    page.locator("input[type=file]").set_input_files(
        {"name": "flyer.pdf", "mimeType": "application/pdf", "buffer": document}
    )
    page.get_by_text(re.compile(r"^flyer\.pdf, page 1, ")).wait_for()
    settle(page)
    page.get_by_label("Page (of 2)").fill("2")
    page.keyboard.press("Enter")
    page.get_by_text(re.compile(r"^flyer\.pdf, page 2, ")).wait_for()
    settle(page)
    x, y, width, height = sample_box(data)
    drag(page, (2 * (x + 80), 2 * (y + 100), 2 * width, 2 * height), 1600)  # PDF pages have 1,920 pixels
    results = page.get_by_role("list", name="Results, best first")
    results.get_by_role("img", name=re.compile("^Rank 1: ")).wait_for()
    settle(page)
    found = alts(results.locator("li:not([hidden]) img"))
    (first,) = [alt for alt in found if "catalogue.pdf, page" in alt][:1]
    assert re.search(r"catalogue\.pdf, page [24], ", first)
    tile = results.get_by_role("listitem").filter(has=page.get_by_role("img", name=first, exact=True))
    other = "4" if "page 2," in first else "2"
    page.screenshot(path=PICTURES / "documents.png")
    tile.get_by_role("button", name=re.compile(rf"^{other}: ")).click()
    shown = results.get_by_role("img", name=re.compile(rf"catalogue\.pdf, page {other}, "))
    expect(shown).to_be_visible()
    expect(results.get_by_role("img", name=first, exact=True)).to_be_hidden()
    page.keyboard.press("l")  # the focus has gone to the page that is shown
    dialog = page.get_by_role("dialog")
    dialog.get_by_text(re.compile(rf"of \d+ · catalogue\.pdf, page {other}")).wait_for()
    settle(page)
    dialog.get_by_role("button", name="File").click()
    link = page.get_by_role("link", name=re.compile(f"Open at page {other}"))
    address = link.get_attribute("href")
    assert address and address.endswith(f"#page={other}")
    told = page.request.get(address.partition("#page=")[0])
    assert told.status == 200 and told.headers["content-type"] == "application/pdf"
    page.screenshot(path=PICTURES / "document-dialog.png")
    assert serious(page) == []
    page.reload()
    page.get_by_text(re.compile(r"^flyer\.pdf, page 2, ")).wait_for()
    expect(page.get_by_label("Page (of 2)")).to_have_value("2")
