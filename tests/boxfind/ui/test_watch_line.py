"""The sidebar says what the watcher of the folder does; a local administrator can switch it."""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from boxfind.engine import Engine
from boxfind.folder_watch import WatchStatus
from boxfind.ui import watch_line
from boxfind.ui.watch_line import watch_sentence
from boxfind.watcher import Watcher
from tests.boxfind.ui.reading import calm, press, texts

WATCHING = "Watching the folder for changes"


def watchers() -> int:
    return [thread.name for thread in threading.enumerate()].count("folder watcher")


@pytest.fixture(autouse=True)
def no_watcher_remains(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    made: list[Engine] = []
    watch = Engine.watch
    monkeypatch.setattr(Engine, "watch", lambda engine: (made.append(engine), watch(engine))[1])
    yield
    for engine in made:
        engine.stop_watching()
    assert not watchers()


def say(monkeypatch: pytest.MonkeyPatch, status: WatchStatus) -> None:
    monkeypatch.setattr(Watcher, "status", property(lambda _: status))


def captions(app: AppTest) -> str:
    return texts(app.sidebar, "caption")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (WatchStatus("watching"), WATCHING),
        (WatchStatus("watching", why_compared="No reports."), "Comparing the folder regularly"),
        (WatchStatus("noticed", 3), "3 changes noticed, updating soon"),
        (WatchStatus("noticed", 1), "1 change noticed, updating soon"),
        (WatchStatus("away"), "The folder is away; it is watched again when it is back"),
        (
            WatchStatus("away", message="Missing: /b."),
            "The folder is away; it is watched again when it is back. Missing: /b.",
        ),
        (WatchStatus("paused", 3, "Full."), "The update failed and is tried again later. Full."),
        (WatchStatus("held", 3, "All."), "3 changes noticed; an administrator can update the index. All."),
    ],
)
def test_what_the_watcher_does_is_one_sentence(status: WatchStatus, sentence: str):
    assert watch_sentence(status, for_admin=True) == sentence
    if status.message:
        assert status.message not in watch_sentence(status, for_admin=False)


def test_visitors_see_that_the_folder_is_watched(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, WatchStatus("noticed", 3))
    app.run()
    assert calm(app) and "3 changes noticed, updating soon" in captions(app)


def test_only_administrators_see_that_it_is_not(app: AppTest, here: None) -> None:
    app.run()
    assert "Watching is off" in captions(app)


def test_visitors_do_not_see_that_it_is_not(app: AppTest) -> None:
    app.run()
    assert calm(app) and "Watching" not in captions(app)


def test_a_page_runs_again_when_an_update_begins(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line of the build is above the line of the watcher."""
    told = [WatchStatus("watching")] * 2 + [WatchStatus("updating", 1)] * 10
    monkeypatch.setattr(Watcher, "status", property(lambda _: told.pop(0) if len(told) > 1 else told[0]))
    reruns: list[int] = []
    rerun = st.rerun

    def counted(**scope: Any) -> None:
        reruns.append(1)
        rerun(**scope)

    monkeypatch.setattr("boxfind.ui.watch_line.st.rerun", counted)
    app.run()
    app.run()
    assert calm(app) and len(reruns) <= 1 and "Taking in what has changed" in captions(app)


@pytest.mark.parametrize("is_open", [False, True])
def test_a_page_does_not_run_again_while_a_dialog_may_be_open(is_open: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new generation, as of a wave of a build, would close it."""
    served = SimpleNamespace(folder=Path("gen-000002-0000"))
    engine = SimpleNamespace(watcher=SimpleNamespace(status=WatchStatus("watching")), gallery=lambda: served)
    monkeypatch.setattr(watch_line, "shared_engine", lambda: engine)
    monkeypatch.setattr(watch_line, "is_admin", lambda: True)
    monkeypatch.setattr(watch_line, "dialog_may_be_open", lambda: is_open)
    reruns: list[int] = []
    monkeypatch.setattr("boxfind.ui.watch_line.st.rerun", lambda: reruns.append(1))
    watch_line._follow("gen-000001-0000", was_updating=False)
    assert len(reruns) == (not is_open)


def test_a_local_administrator_switches_it(app: AppTest, here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXFIND_WATCH", "auto")
    app.run()
    assert WATCHING in captions(app) and watchers() == 1
    app.switch_page("pages/index.py").run()
    press(app, "Stop watching the folder")
    assert calm(app) and "Watching is off" in captions(app) and not watchers()
    press(app, "Watch the folder")
    assert calm(app) and WATCHING in captions(app) and watchers() == 1


def test_the_first_visitor_of_a_shared_server_starts_no_watcher(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXFIND_WATCH", "auto")
    app.run()
    assert calm(app) and not watchers()
