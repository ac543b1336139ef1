"""Time of the page in Chromium, from mouse-up to ten tiles."""

import sys

from playwright.sync_api import Page, sync_playwright

from benchmarks.bench import Bench
from benchmarks.results import milliseconds, record, table
from boxfind.evaluation.dataset import BoxedQuery
from retrieval.images.decode import load_image
from tests.browser.conftest import CHROMIUM, FLAGS, serving

SEARCHES = 50
WATCH = """() => {
    window.took = null;
    let released = null;
    addEventListener('mouseup', () => { released = performance.now(); }, { capture: true, once: true });
    const tiles = () => [...document.querySelectorAll('*')]
        .filter(element => element.shadowRoot)
        .flatMap(element => [...element.shadowRoot.querySelectorAll('img[alt^="Rank "]')]);
    const names = () => tiles().map(tile => tile.alt).join();
    const before = names();
    const check = () => {
        const shown = released === null ? [] : tiles();
        const loaded = shown.length === 10 && shown.every(tile => tile.complete && tile.naturalWidth);
        if (loaded && names() !== before) window.took = performance.now() - released;
        else requestAnimationFrame(check);
    };
    check();
}"""
"""Sets `window.took` to the milliseconds from mouse-up to the first frame with ten new, decoded tiles."""


def measure(bench: Bench) -> None:
    rows = []
    bench.engine.gallery()  # builds a missing index
    with sync_playwright() as playwright, serving({}, bench.scratch) as address:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for ranking in ("Best", "Fast"):
            page = chromium.new_page(viewport={"width": 1440, "height": 1000})
            page.goto(address)
            page.get_by_role("heading", name="Find an object").wait_for(timeout=60_000)
            seconds = [_search(page, query, ranking) for query in bench.queries(SEARCHES)]
            rows.append([ranking, *milliseconds(seconds, shares=(0.5, 0.95, 1))])
            print(rows[-1], file=sys.stderr)
            page.close()
        chromium.close()
    record(
        f"The page on {bench.dataset.name}: from mouse-up to ten tiles",
        table(["ranking", "p50 ms", "p95 ms", "max ms"], rows),
    )


def _search(page: Page, query: BoxedQuery, ranking: str) -> float:
    """Upload a picture and drag a box; returns the seconds from mouse-up until the tiles appear."""
    page.locator("input[type=file]").set_input_files(query.image)
    page.get_by_text(f"{query.image.name}, ").wait_for()
    page.wait_for_timeout(2000)  # the canvas accepts the mouse after its picture has loaded
    page.get_by_role("radio", name=ranking).click()
    page.wait_for_timeout(500)
    canvas = page.locator("canvas").last
    canvas.scroll_into_view_if_needed()
    place, width = canvas.bounding_box(), load_image(query.image).shape[1]
    assert place and query.box
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
    return float(page.evaluate("window.took")) / 1000
