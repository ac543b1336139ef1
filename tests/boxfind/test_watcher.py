"""Watching starts and stops once, also when a drive does not answer."""

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from boxfind import watcher as module
from boxfind.engine import Engine
from boxfind.settings import Settings
from boxfind.watcher import Watcher
from index.operations import folder_events


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "folder watcher"]


def test_watching_starts_and_stops_once_and_leaves_no_thread(gallery: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(folder_events, "STEP", 100)
    engine = Engine(Settings.load(gallery=gallery, index=tmp_path / "index", watch="on"))
    engine.watch()
    engine.watch()
    assert [thread.name for thread in threading.enumerate()].count("folder watcher") == 1
    assert engine.watcher.status.kind == "watching"
    engine.stop_watching()
    engine.stop_watching()
    assert "folder watcher" not in [thread.name for thread in threading.enumerate()]
    assert engine.watcher.status.kind == "off"


class DeadDrive:
    """A drive of which no operation comes back until it is connected again."""

    idle, why_compared = 10.0, ""

    def __init__(self) -> None:
        self.connected, self.asked, self.closed = threading.Event(), threading.Semaphore(0), 0
        self.opened = 0

    def open(self, *_: object) -> "DeadDrive":
        self.opened += 1
        self.asked.release()
        self.connected.wait(60)
        return self

    def wait(self, seconds: float) -> set[str]:
        time.sleep(0.01)
        return set()

    def close(self) -> None:
        self.closed += 1


def test_r95_watching_starts_anew_after_a_drive_that_does_not_answer(
    gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that waits for it is left alone, and changes nothing when it comes back."""
    monkeypatch.setattr(module, "JOIN", 0.1)
    drive, builds = DeadDrive(), SimpleNamespace(is_running=lambda: False, state=lambda: None)
    settings = Settings.load(gallery=gallery, index=tmp_path / "index")
    made: Any = (builds, lambda: None, drive.open)
    watcher = Watcher(settings, *made)
    for number in (1, 2):
        watcher.start()
        assert drive.asked.acquire(timeout=60) and watcher.status.kind == "watching" and drive.opened == number
        watcher.stop()
        assert watcher.status.kind == "off" and len(threads()) == number
    watcher.start()
    assert drive.asked.acquire(timeout=60)
    left, new = threads()[:2], threads()[2]
    drive.connected.set()
    for thread in left:
        thread.join(60)
    assert drive.closed == 2 and threads() == [new] and watcher.status.kind == "watching"
    watcher.stop()
    new.join(60)
    assert not threads() and drive.closed == 3
