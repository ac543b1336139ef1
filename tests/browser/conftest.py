"""Fixtures: a running server and a real browser. Tests are skipped without Chromium."""

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
from typing import Any

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, Page, expect, sync_playwright

from boxfind.settings import Settings

PROJECT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")  # the first takes less CPU time
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


PATIENCE = 300_000
"""Milliseconds to wait for what must happen, such as a first build on a busy machine."""
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium-headless-shell)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def indexed(networks: Path) -> Path:
    """A data folder with the sample and its index, which all workers copy; the first one makes it."""
    folder = networks.parent / "indexed"
    with FileLock(networks.parent / "indexed.lock"):
        if not folder.exists():
            folder.mkdir()
            (folder / "networks").symlink_to(networks)
            settings = {"BOXFIND_DATA": str(folder), "BOXFIND_OFFLINE": "1"}
            subprocess.run([sys.executable, "cli.py", "build"], cwd=PROJECT, env=os.environ | settings, check=True)
    return folder


@pytest.fixture(scope="module")
def new_data(tmp_path_factory: pytest.TempPathFactory, networks: Path) -> Path:
    """The data folder of a first start, empty but for converted networks."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "networks").symlink_to(networks)
    return folder


@pytest.fixture(scope="module")
def data(new_data: Path, indexed: Path) -> Path:
    """The data folder of the server, with the sample and its index."""
    (new_data / "sample").symlink_to(indexed / "sample")
    (index,) = (indexed / "indexes").iterdir()
    shutil.copytree(index, Settings.load(data=new_data).index_dir)
    return new_data


@pytest.fixture(scope="module")
def address(data: Path) -> Iterator[str]:
    """The address of a server with this data folder and a local administrator."""
    with serving({"BOXFIND_DATA": str(data), "BOXFIND_OFFLINE": "1", "BOXFIND_ADMIN": "local"}, data) as address:
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A new visitor on the Search page, once the gallery is ready."""
    visitor = new_page(browser, viewport={"width": 1440, "height": 1000})
    visitor.goto(address)
    visitor.get_by_role("heading", name="Find an object").wait_for()  # includes the first build
    yield visitor
    visitor.close()


def new_page(browser: Browser, **options: Any) -> Page:
    """The empty page of another visitor; the options are those of `Browser.new_page`."""
    visitor = browser.new_page(**options)
    visitor.set_default_timeout(PATIENCE)
    return visitor


def at_home(home: Path, gallery: str) -> dict[str, str]:
    """The settings of a program for the administrator at this machine, with its data in `home` / data."""
    return {
        "BOXFIND_DATA": str(home / "data"),
        "BOXFIND_GALLERY": str(home / gallery),
        "BOXFIND_OFFLINE": "1",
        "BOXFIND_TEXT": "0",
        "BOXFIND_ADMIN": "local",
        "HOME": str(home),
    }


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def serving(settings: dict[str, str], logs: Path, port: int | None = None) -> Iterator[str]:
    """Run the server as a subprocess. Yields its address."""
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
            server.wait(PATIENCE / 1000)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGABRT)  # dumps the thread stacks to the log
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
