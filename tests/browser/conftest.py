"""A running program and a real browser. Without Chromium these tests are skipped."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

PROJECT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium chromium-driver)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of the running program: empty at first."""
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="session")
def address(data: Path) -> Iterator[str]:
    """The program, started as `make app` starts it, with nothing configured."""
    with serving({"BOXFIND_DATA": str(data), "BOXFIND_OFFLINE": "1", "BOXFIND_ADMIN": "local"}, data) as address:
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A fresh visitor on the search page, once the gallery is ready."""
    visitor = browser.new_page(viewport={"width": 1440, "height": 1000})
    visitor.set_default_timeout(30_000)
    visitor.goto(address)
    visitor.get_by_role("heading", name="Find an object").wait_for(timeout=200_000)  # it is drawn and built first
    yield visitor
    visitor.close()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def serving(settings: dict[str, str], logs: Path, port: int | None = None) -> Iterator[str]:
    """The program as a process of its own; where it answers."""
    port = port or free_port()
    command = [sys.executable, "cli.py", "app", "--no-browser", "--port", str(port)]
    environment = os.environ | {"PYTHONFAULTHANDLER": "1", "BOXFIND_ADMIN": "nobody"} | settings
    with (logs / f"server-{port}.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGABRT)  # what its threads were doing stands in the log then
            server.wait(20)
            raise AssertionError(f"The server did not stop:\n{(logs / f'server-{port}.log').read_text()}") from None


def _wait_for(address: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"{address} does not answer")
