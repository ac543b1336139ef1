"""Actions and readings shared by the browser tests, and the sample they use."""

import csv
import io
import re
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from axe_playwright_python.sync_playwright import Axe
from PIL import Image as Pillow
from playwright.sync_api import FloatRect, Locator, Page, TimeoutError, ViewportSize

PICTURES = Path(__file__).parents[2] / "test-results"
OBJECT = "coffee-cup"
SAMPLE = "Coffee cup in scene 1"
SEEN_PER_OBJECT = 5
PHONE: ViewportSize = {"width": 390, "height": 844}
TABLET: ViewportSize = {"width": 1024, "height": 768}
LAPTOP: ViewportSize = {"width": 1366, "height": 768}
TILE = re.compile(
    r"Rank (?P<rank>\d+): (?P<image>.+), (un)?(likely|possible) match"
    r"(, written: .+|, the same words: .+)?(, details agree)?(, \d+ of 100)?"
)


def sample_box(data: Path) -> tuple[int, int, int, int]:
    with (data / "sample" / "queries.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["query"] == f"{OBJECT}-1")
    return int(row["x"]), int(row["y"]), int(row["w"]), int(row["h"])


def rings(width: int, height: int) -> bytes:
    """A PNG of coloured concentric circles."""
    radius = np.hypot(*np.meshgrid(np.arange(width) - 0.47 * width, np.arange(height) - 0.46 * height))
    picture = np.stack([128 + 127 * np.sin(radius / spread) for spread in (3, 5, 7)], axis=2)
    file = io.BytesIO()
    Pillow.fromarray(picture.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def upload_rings(page: Page, width: int = 640, height: int = 480) -> None:
    picture = rings(width, height)
    page.locator("input[type=file]").set_input_files({"name": "rings.png", "mimeType": "image/png", "buffer": picture})
    page.get_by_text(f"rings.png, {width} x {height} pixels").wait_for()


def canvas_of(page: Page) -> Locator:
    return page.get_by_role("group", name="The picture you search with")


def drag(page: Page, box: tuple[int, int, int, int], picture_width: int, steps: int = 6) -> None:
    """Draw a box with the mouse on the picture of this width. The box is in its pixels."""
    canvas_of(page).locator(f"image[width='{picture_width}']").wait_for()
    canvas_of(page).scroll_into_view_if_needed()
    x, y, w, h = box
    page.mouse.move(*on_screen(page, x, y))
    page.mouse.down()
    page.mouse.move(*on_screen(page, x + w / 2, y + h / 2), steps=steps)
    page.mouse.move(*on_screen(page, x + w, y + h), steps=steps)
    page.mouse.up()


def on_screen(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the picture is in the browser window."""
    found: list[float] = canvas_of(page).evaluate(
        """(svg, point) => {
            const place = new DOMPoint(...point).matrixTransform(svg.getScreenCTM());
            return [place.x, place.y];
        }""",
        [x, y],
    )
    return found[0], found[1]


def place(element: Locator) -> FloatRect:
    """Where an element is in the browser window."""
    found = element.bounding_box()
    assert found is not None
    return found


def shown_boxes(page: Page) -> list[tuple[int, int, int, int]]:
    """The boxes on the canvas: x, y, width and height in pixels of the picture."""
    sides: list[list[float]] = (
        canvas_of(page)
        .locator(".line")
        .evaluate_all(
            "lines => lines.map(line => ['x', 'y', 'width', 'height'].map(name => Number(line.getAttribute(name))))"
        )
    )
    return [(round(x), round(y), round(w), round(h)) for x, y, w, h in sides]


def settle(page: Page) -> None:
    """Wait until the page has stopped running: until then it may move or draw anew what is on it."""
    page.wait_for_timeout(500)  # until a run that was asked for has begun
    page.locator("[data-test-script-state=notRunning]").wait_for()


def go_to(page: Page, name: str) -> None:
    """Open another page by its link, and wait until it is there: its name may be on the page before, too."""
    page.get_by_role("link", name=name, exact=True).click()
    wait_for_page(page, name)


def wait_for_page(page: Page, name: str) -> None:
    """Wait until the page with this name is there, and has stopped running. A page that never comes says its state."""
    path = "" if name == "Search" else name.lower()
    try:
        page.wait_for_url(lambda url: urlsplit(url).path.strip("/") == path, wait_until="commit")
    except TimeoutError as error:
        states = page.locator("[data-test-script-state]").evaluate("app => ({...app.dataset})")
        raise AssertionError(f"{name} is not shown, but {page.url}, in the state {states}") from error
    settle(page)


def alts(images: Locator) -> list[str]:
    """The alternative texts of all these images, read at one moment."""
    found: list[str] = images.evaluate_all("images => images.map(image => image.alt)")
    return found


def ranking(page: Page) -> list[str]:
    """The image ids of the first ten tiles, best first."""
    tiles = page.get_by_role("img", name=re.compile(r"^Rank \d+: "))
    tiles.nth(9).wait_for()
    settle(page)
    names = [TILE.fullmatch(alt) for alt in alts(tiles)[:10]]
    assert [name and int(name["rank"]) for name in names] == list(range(1, 11))
    return [name["image"] for name in names if name]


def others_first(found: list[str]) -> bool:
    """Whether at least four of the object's five gallery pictures are the first results."""
    return sum(name.startswith(f"{OBJECT}-") for name in found[:SEEN_PER_OBJECT]) >= SEEN_PER_OBJECT - 1


def choose_sample(page: Page) -> None:
    page.get_by_role("radio", name="Sample").click()
    page.get_by_role("combobox", name="Sample picture").fill(SAMPLE)
    page.get_by_role("option", name=SAMPLE, exact=True).click()
    page.get_by_text(re.compile(rf"^{SAMPLE}, \d+ x \d+ pixels")).wait_for()


def search(page: Page, data: Path) -> list[str]:
    """Search for the object on the sample picture."""
    choose_sample(page)
    drag(page, sample_box(data), 640)
    return ranking(page)


def serious(page: Page) -> list[tuple[str, str, list[str]]]:
    """The serious violations of accessibility rules on the page."""
    return [
        (violation["id"], violation["help"], [node["target"] for node in violation["nodes"]][:4])
        for violation in Axe().run(page).response["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


def asked_hosts(page: Page) -> set[str]:
    """The hosts of all requests and connections from now on, filled while the page is used."""
    hosts: set[str] = set()

    def note(address: str) -> None:
        if urlsplit(address).scheme not in ("data", "blob"):
            hosts.add(urlsplit(address).netloc)

    page.on("request", lambda request: note(request.url))
    page.on("websocket", lambda socket: note(socket.url))
    return hosts
