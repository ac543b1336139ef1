"""Memory of the page server after a visitor who uploads much has left."""

import io
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from PIL import Image as Pillow
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.bench import Bench
from benchmarks.results import record, table
from tests.browser.conftest import CHROMIUM, FLAGS, serving

PICTURES, SIDE = 13, 10_000
"""Number of pictures that the visitor opens one after the other, and their side in pixels."""
FILES, FILE_BYTES = 30, 49_000_000
"""Number of files that the visitor sends under ids of their own, and their size."""
SECONDS = 60.0
"""From closing the tab until memory is measured."""
SEND = """async ([session, number, size]) => {
    const [, token] = document.cookie.match(/_streamlit_xsrf=([^;]+)/);
    const form = new FormData();
    form.append('file', new Blob([new Uint8Array(size)]), `made-up-${number}.png`);
    const sent = await fetch(`/_stcore/upload_file/${session}/made-up-${number}`,
        { method: 'PUT', body: form, headers: { 'X-Xsrftoken': token } });
    return sent.status;
}"""


def measure(bench: Bench) -> None:
    bench.engine.gallery()  # builds a missing index
    rows = []
    with sync_playwright() as playwright, serving({}, bench.scratch) as address:
        server = next(child for child in psutil.Process().children() if "cli.py" in child.cmdline())
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        with _visit(chromium, address) as page:  # loads the network, the index and a decoder
            for number in range(PICTURES):
                _open(page, _png(number, 640), number)
        time.sleep(SECONDS)
        for what, visit in (
            (f"{PICTURES} pictures of {SIDE} x {SIDE}", _pictures),
            ("files under made-up ids", _files),
        ):
            start = _memory(server)
            with _peak(server) as peak, _visit(chromium, address) as page:
                taken = visit(page)
            time.sleep(SECONDS)
            rows.append([what, taken, *(f"{size / 1e6:.0f}" for size in (start, peak[0], _memory(server)))])
            print(rows[-1], file=sys.stderr)
        chromium.close()
    record(
        f"Memory of the page server, {SECONDS:.0f} s after a visitor has left",
        table(["the visitor sends", "accepted", "MB before", "MB at most", "MB after"], rows),
    )


def _pictures(page: Page) -> int:
    for number in range(PICTURES):
        _open(page, _png(number, SIDE), number)
    return PICTURES


def _files(page: Page) -> int:
    with page.expect_request(lambda request: "/upload_file/" in request.url and request.method == "PUT") as sent:
        _open(page, _png(100, 640), 100)
    session = sent.value.url.split("/")[-2]
    return sum(page.evaluate(SEND, [session, number, FILE_BYTES]) == 204 for number in range(FILES))


def _open(page: Page, png: bytes, number: int) -> None:
    name = f"picture-{number}.png"
    page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "image/png", "buffer": png})
    page.get_by_text(f"{name}, ").wait_for(timeout=400_000)
    page.get_by_role("button", name="Whole picture").click()
    page.get_by_text("Searched ").wait_for(timeout=400_000)
    page.wait_for_timeout(500)


def _png(number: int, side: int) -> bytes:
    file = io.BytesIO()
    Pillow.new("RGB", (side, side), (20 + number, 120, 200)).save(file, "PNG", compress_level=1)
    return file.getvalue()


@contextmanager
def _visit(chromium: Browser, address: str) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 1440, "height": 1000})
    page.goto(address)
    page.get_by_role("heading", name="Find an object").wait_for(timeout=400_000)
    yield page
    page.close()


@contextmanager
def _peak(server: psutil.Process) -> Iterator[list[int]]:
    """A list whose only item is the most memory seen in the body."""
    seen, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.2):
            seen[0] = max(seen[0], _memory(server))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _memory(server: psutil.Process) -> int:
    """Resident bytes of the server and its decoders."""
    total = 0
    for process in [server, *server.children(recursive=True)]:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
