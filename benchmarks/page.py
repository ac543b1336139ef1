"""Time of the page in Chromium, from mouse-up to ten tiles."""

import sys

from playwright.sync_api import Page, sync_playwright

from benchmarks.bench import Bench
from benchmarks.results import milliseconds, record, table
from boxfind.evaluation.dataset import BoxedQuery
from retrieval.images.decode import load_image
from tests.browser.acting import drag, settle
from tests.browser.conftest import CHROMIUM, FLAGS, serving

SEARCHES = 50
WATCH = """() => {
    window.took = null;
    let released = null;
    addEventListener('mouseup', () => { released = performance.now(); }, { capture: true, once: true });
    const grid = () => [...document.querySelectorAll('.st-key-results *')].find(element => element.shadowRoot);
    const tiles = () => [...(grid()?.shadowRoot.querySelectorAll('img[alt^="Rank "]') ?? [])].slice(0, 10);
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
"""Sets `window.took` to the milliseconds from mouse-up to the first frame with ten new, decoded tiles.

It looks at the results only: a search through all elements in each frame would take the time it measures.
"""


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
    settle(page)
    page.get_by_role("radio", name=ranking).click()
    settle(page)
    assert query.box
    width = load_image(query.image).shape[1]
    page.evaluate(WATCH)
    drag(page, query.box.xywh, width)
    page.wait_for_function("window.took", timeout=20_000)
    return float(page.evaluate("window.took")) / 1000
