"""A build beside a busy program, and the CPU time that open pages take to follow a build."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import psutil
from playwright.sync_api import sync_playwright

from benchmarks.bench import READING, Bench
from benchmarks.results import record, table
from boxfind.engine import Engine
from index.building.jobs import building
from tests.browser.conftest import CHROMIUM, FLAGS, serving

SETTINGS = {"BOXFIND_SIDE": "320", "BOXFIND_KEYPOINTS": "0"}
PAGES = 3
WATCHED_SECONDS = 20.0
BUSY = "while True: pass"


def measure(bench: Bench) -> None:
    (gallery,) = bench.galleries(1)
    count = len(list(gallery.iterdir()))
    rows = []
    for name, programs in (("nothing", 0), ("one busy program", 1)):
        with _busy_programs(programs), mock.patch.dict(os.environ, SETTINGS):
            seconds = _build_seconds(bench, gallery, bench.scratch / f"beside {programs}")
        rows.append([name, f"{seconds:.1f}", f"{count / seconds:.1f}"])
    title = f"A build beside a busy program: {count} pictures, side 320, without keypoints"
    record(title, table(["beside", "seconds", "pictures/s"], rows))
    share = _polling_share(bench)
    record(f"{PAGES} pages that show a running build", table(["share of a core, page server"], [[f"{share:.1%}"]]))


@contextmanager
def _busy_programs(count: int) -> Iterator[None]:
    command = [sys.executable, "-c", BUSY]
    programs = [subprocess.Popen(command, start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def _build_seconds(bench: Bench, gallery: Path, index: Path) -> float:
    """Seconds of a build in a process of its own, as the page starts it."""
    engine = Engine(bench.settings.changed(gallery=gallery, index=index))
    began = time.perf_counter()
    engine.builds.start()
    while engine.builds.is_running():
        time.sleep(0.1)
    state = engine.builds.state()
    assert state and state.state == "done", state
    return time.perf_counter() - began


def _polling_share(bench: Bench) -> float:
    """CPU seconds a second of the page server while PAGES pages show a build that another process runs."""
    bench.engine.gallery()  # builds a missing index
    with (
        sync_playwright() as playwright,
        serving({"BOXFIND_ADMIN": "local"}, bench.scratch) as address,
        building(bench.settings.index_dir) as report,
    ):
        report(READING, 1, 1000)
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for _ in range(PAGES):
            page = chromium.new_page()
            page.goto(address, timeout=60_000)
            page.get_by_text(READING).first.wait_for(timeout=60_000)
        server = next(child for child in psutil.Process().children() if "cli.py" in child.cmdline())
        page.wait_for_timeout(5000)  # the pages have loaded
        before, began = sum(server.cpu_times()[:2]), time.perf_counter()
        while (elapsed := time.perf_counter() - began) < WATCHED_SECONDS:
            report(READING, int(10 * elapsed), 1000)
            page.wait_for_timeout(250)
        share = (sum(server.cpu_times()[:2]) - before) / elapsed
        chromium.close()
    return float(share)
