"""Measure the page in Chromium, from mouse-up to ten tiles: python -m benchmarks.speed.page DATASET [INDEX]."""

import re
import sys
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks.results import keep, table
from boxfind.engine import Engine
from boxfind.evaluation.dataset import BoxedQuery
from boxfind.evaluation.dataset_formats import read_dataset
from boxfind.settings import Settings
from retrieval.images.decode import load_image
from tests.browser.conftest import CHROMIUM, FLAGS, serving

SEARCHES = 50
SECTION = "The page on {}: from mouse-up to ten tiles"
NOTE = """In headless Chromium on the same cores as the program, each search on a picture that was just uploaded. The
time runs from the browser's mouse-up event to the first frame with ten tiles of the new result whose pictures are
decoded. It includes 200 ms during which the canvas waits for another box."""
WATCH = """() => {
    window.took = null;
    let released = null;
    addEventListener('mouseup', () => { released = performance.now(); }, { capture: true, once: true });
    const tiles = () => [...document.querySelectorAll('*')]
        .filter(element => element.shadowRoot)
        .flatMap(element => [...element.shadowRoot.querySelectorAll('img[alt^="Rank "]')]);
    const names = () => tiles().map(tile => tile.alt).join();
    const before = names();
    const look = () => {
        const shown = released === null ? [] : tiles();
        const there = shown.length === 10 && shown.every(tile => tile.complete && tile.naturalWidth);
        if (there && names() !== before) window.took = performance.now() - released;
        else requestAnimationFrame(look);
    };
    look();
}"""


def main(folder: Path, index: Path | None) -> None:
    dataset = read_dataset(folder)
    queries = dataset.queries[:: len(dataset.queries) // SEARCHES][:SEARCHES]
    rows = []
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        if index is None:
            index = Path(scratch) / "index"
            Engine(Settings.load(gallery=dataset.gallery, index=index)).build(lambda *_: None)
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        settings = {"BOXFIND_GALLERY": str(dataset.gallery), "BOXFIND_INDEX": str(index), "BOXFIND_OFFLINE": "1"}
        with serving(settings, Path(scratch)) as address:
            for ranking in ("Best", "Fast"):
                page = chromium.new_page(viewport={"width": 1440, "height": 1000})
                page.goto(address)
                page.get_by_role("heading", name="Find an object").wait_for(timeout=60_000)
                measured = np.array([_search(page, query, ranking) for query in queries])
                middle, late, last = np.quantile(measured[:, 0], [0.5, 0.95, 1])
                rows.append([ranking, *(f"{value:.0f}" for value in (middle, late, last, np.median(measured[:, 1])))])
                print(rows[-1], file=sys.stderr)
                page.close()
        chromium.close()
    header = ["ranking", "p50 ms", "p95 ms", "max ms", "search alone, p50 ms"]
    keep(SECTION.format(dataset.name), f"{NOTE}\n\n{table(header, rows)}")


def _search(page: Page, query: BoxedQuery, ranking: str) -> tuple[float, float]:
    """Upload a picture and drag a box; returns milliseconds until the tiles appear, and of the search alone."""
    assert query.box is not None
    page.locator("input[type=file]").set_input_files(query.image)
    page.get_by_text(f"{query.image.name}, ").wait_for()
    page.wait_for_timeout(2000)  # the canvas accepts the mouse after its picture has loaded
    page.get_by_role("radio", name=ranking).click()
    page.wait_for_timeout(500)
    canvas = page.locator("canvas").last
    canvas.scroll_into_view_if_needed()
    place, width = canvas.bounding_box(), load_image(query.image).shape[1]
    assert place is not None
    scale = place["width"] / width
    x0, x1 = (place["x"] + min(max(x * scale, 1), place["width"] - 2) for x in (query.box.x0, query.box.x1))
    y0, y1 = (place["y"] + min(max(y * scale, 1), place["height"] - 2) for y in (query.box.y0, query.box.y1))
    page.evaluate(WATCH)
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2, steps=4)
    page.mouse.move(x1, y1, steps=4)
    page.mouse.up()
    page.wait_for_function("window.took", timeout=20_000)
    took = float(page.evaluate("window.took"))
    told = re.search(r"in (\d+) ms", page.get_by_text(re.compile(r"^Searched .* ms$")).inner_text())
    assert told is not None
    return took, float(told[1])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
