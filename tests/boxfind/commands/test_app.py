"""app: runs the page from any folder until Ctrl+C."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from boxfind.collection_table import CollectionTable
from boxfind.commands import app
from boxfind.settings import PROJECT, Settings
from tests.browser.conftest import free_port


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A temporary working directory and an environment that is restored after the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {**os.environ})
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        os.environ.pop(name, None)
    return tmp_path


@pytest.fixture
def started(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Record the Streamlit arguments instead of starting it."""
    calls: list[list[str]] = []
    monkeypatch.setattr(app, "run_streamlit", calls.append)
    return calls


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the URLs that would be opened in a browser."""
    addresses: list[str] = []
    monkeypatch.setattr("webbrowser.open", addresses.append)
    return addresses


def test_the_page_starts_in_the_project_folder_and_its_url_is_printed(boxfind, started):
    port = free_port()
    said = boxfind("app", "--port", port)
    assert (said.code, said.err) == (0, f"Boxfind is running at http://127.0.0.1:{port} (press Ctrl+C to stop).\n")
    assert started == [app.streamlit_arguments(port)] and Path.cwd() == PROJECT
    assert os.environ["BOXFIND_ADMIN"] == "local"


def test_the_environment_decides_who_may_build(boxfind, started):
    os.environ["BOXFIND_ADMIN"] = "nobody"
    assert boxfind("app", "--port", free_port()).code == 0 and os.environ["BOXFIND_ADMIN"] == "nobody"


def test_r70_the_page_believes_the_proxies_of_the_settings_unless_streamlit_is_told_others(boxfind, started):
    os.environ.pop("FORWARDED_ALLOW_IPS", None)
    os.environ["BOXFIND_API_PROXIES"] = "10.0.0.1,10.0.0.2"
    for given, believed in ((None, "10.0.0.1,10.0.0.2"), ("192.0.2.1", "192.0.2.1")):
        if given:
            os.environ["FORWARDED_ALLOW_IPS"] = given
        assert boxfind("app", "--port", free_port()).code == 0 and os.environ["FORWARDED_ALLOW_IPS"] == believed


def test_relative_paths_refer_to_the_start_folder(boxfind, started, elsewhere):
    os.environ |= {"BOXFIND_INDEX": "of the environment", "BOXFIND_DATA": "data", "BOXFIND_HEAD": "~/head.safetensors"}
    os.environ["BOXFIND_MILVUS_URI"] = "vectors.db"
    before = Settings.load(gallery=Path("pictures"), index=Path("index"))
    gallery, index = before.gallery_dir, before.index_dir
    assert boxfind("app", "--port", free_port(), "--gallery", "pictures", "--index", "index").code == 0
    after = Settings.load()
    assert (after.gallery_dir, after.index_dir) == (gallery, index) == (elsewhere / "pictures", elsewhere / "index")
    assert (after.data, after.build.head) == (elsewhere / "data", Path("~/head.safetensors").expanduser())
    assert after.milvus.uri == str(elsewhere / "vectors.db")


def test_a_collection_of_the_table_is_not_fixed_for_the_page(boxfind, started, elsewhere):
    os.environ["BOXFIND_DATA"] = str(elsewhere / "data")
    CollectionTable(elsewhere / "data").add("Mine", [elsewhere])
    assert boxfind("app", "--port", free_port()).code == 0
    assert not {"BOXFIND_GALLERY", "BOXFIND_INDEX"} & os.environ.keys()


def test_a_port_in_use_is_one_sentence(boxfind, started):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        boxfind("app", "--port", port).assert_failed(f"Port {port} is in use", "--port")
    assert not started


@pytest.mark.parametrize(
    ("name", "value"), [("BOXFIND_ADMIN", "everybody"), ("BOXFIND_WORKERS", "0"), ("BOXFIND_QUERY_VIEWS", "small")]
)
def test_an_invalid_setting_is_one_sentence(boxfind, started, name, value):
    os.environ[name] = value
    boxfind("app", "--port", free_port()).assert_failed(name)
    assert not started


@pytest.mark.parametrize("display", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_the_browser_opens_once_the_server_answers(elsewhere, opened, monkeypatch, display):
    answers = iter([False, False, True])
    monkeypatch.setattr(app, "answers", lambda port: not opened and next(answers))
    app.open_when_ready(8501)
    assert opened == ["http://127.0.0.1:8501"] and not list(answers)


@pytest.mark.parametrize(
    ("system", "variable", "shown"),
    [("linux", "", False), ("linux", "DISPLAY", True), ("linux", "WAYLAND_DISPLAY", True), ("win32", "", True)],
)
def test_a_browser_needs_a_display(elsewhere, monkeypatch, system, variable, shown):
    monkeypatch.setattr(sys, "platform", system)
    if variable:
        os.environ[variable] = ":0"
    assert app.has_display() is shown


def test_no_browser_opens_without_a_display_or_with_the_option(boxfind, started, monkeypatch):
    waiting = []
    monkeypatch.setattr(app, "open_when_ready", waiting.append)
    port = free_port()
    assert boxfind("app", "--port", port).code == 0 and not waiting
    os.environ["DISPLAY"] = ":0"
    assert boxfind("app", "--port", port, "--no-browser").code == 0 and not waiting
    assert boxfind("app", "--port", port).code == 0 and waiting == [port]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "kill"])
def test_the_page_answers_from_another_folder_and_ends_without_a_traceback(tmp_path, stop):
    port = free_port()
    home = tmp_path / "home"
    environment = {**os.environ, "HOME": str(home), "USERPROFILE": str(home), "STREAMLIT_SERVER_HEADLESS": "false"}
    command = [sys.executable, str(PROJECT / "cli.py"), "app", "--no-browser", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        end = time.monotonic() + 60
        while not app.answers(port):
            assert process.poll() is None and time.monotonic() < end, (tmp_path / "log").read_text()
            time.sleep(0.1)
    finally:
        process.send_signal(stop)
        code = process.wait(20)
    said = (tmp_path / "log").read_text()
    assert code == 0 and "Traceback" not in said, said
    assert f"Boxfind is running at http://127.0.0.1:{port} (press Ctrl+C to stop).\n" in said
    assert "mail" not in said.casefold() and "http" not in said.replace(f"http://127.0.0.1:{port}", ""), said
    assert not home.exists(), "Streamlit keeps nothing in the home folder"
