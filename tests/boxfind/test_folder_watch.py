"""Changes of the gallery folder start an update: not while a build runs, not in a loop, not without the folder."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image as Pillow

from boxfind.collection_table import CollectionTable
from boxfind.engine import Engine
from boxfind.folder_watch import AWAY, FolderWatch
from boxfind.settings import Settings
from boxfind.update_pace import FIRST_PAUSE, REST
from index.building.jobs import BuildState
from index.operations import folder_events
from index.operations.folder_events import WatchLost
from index.storage.gallery_rules import GalleryRules
from retrieval.errors import GalleryProblem, IndexProblem
from tests.tiny import eight_pictures

IDLE = 10.0
Draw = Callable[..., Any]


class Clock:
    """A time that passes only while somebody waits."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Source:
    """Changes that a test has written down: names, or an error, one entry for each wait."""

    idle, why_compared = IDLE, ""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.script, self.waits, self.closed = clock, [], [], 0
        self.opened: list[Path] = []
        self.refused: list[Exception] = []

    def open(self, folder: Path, rules: object, stop: object, every: float) -> "Source":
        if self.refused:
            raise self.refused.pop()
        self.opened.append(folder)
        return self

    def wait(self, seconds: float) -> set[str]:
        self.waits.append(seconds)
        self.clock.now += seconds
        told = self.script.pop(0) if self.script else set()
        if isinstance(told, Exception):
            raise told
        return told

    def close(self) -> None:
        self.closed += 1


class BuildsOnPaper:
    """Builds that only change their state."""

    def __init__(self) -> None:
        self.started, self.outcomes, self.notice = 0, [], ""
        self.last: BuildState | None = None
        self.running_for = 0
        self.refusal: Exception | None = None

    def start(self) -> None:
        if self.refusal:
            raise self.refusal
        self.started += 1
        self.end(*(self.outcomes.pop(0) if self.outcomes else ("done",)))

    def end(self, state: str, message: str = "") -> None:
        facts = {"pid": 1, "started": 1.0, "stage_started": 1.0, "now": 1.0, "id": f"{state} {self.started}"}
        self.last = BuildState.model_validate({"state": state, "message": message, **facts})

    def is_running(self) -> bool:
        self.running_for -= 1
        return self.running_for >= 0

    def state(self) -> BuildState | None:
        return self.last

    def update_notice(self, gallery: object, measure: bool) -> str:
        return self.notice


class Watched:
    """A watcher with everything around it."""

    def __init__(self, gallery: Path, generation: Path, *more: Path) -> None:
        self.gallery, self.clock, self.builds = gallery, Clock(), BuildsOnPaper()
        self.source = Source(self.clock)
        self.served: Any = SimpleNamespace(folder=generation)
        settings = Settings.load(gallery=gallery, index=generation.parent).changed(more_folders=more)
        self.watcher = FolderWatch(settings, self.builds, self.open_gallery, self.source.open, self.clock)  # type: ignore[arg-type]
        self.watcher.stop = Moments(self.clock)

    def open_gallery(self) -> Any:
        if isinstance(self.served, Exception):
            raise self.served
        return self.served

    def steps(self, count: int = 2) -> str:
        for _ in range(count):
            self.watcher.step()
        return self.watcher.status.kind


class Moments(threading.Event):
    """Waiting for the end takes no time but that of the clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self.clock.now += timeout or 0.0
        return self.is_set()


@pytest.fixture
def watched(gallery: Path, build_index: Callable[..., Path]) -> Watched:
    """A watcher that has seen that the index is up to date."""
    made = Watched(gallery, build_index(gallery))
    assert made.steps(2) == "watching" and not made.builds.started and not made.watcher._pace.waiting
    return made


def add(watched: Watched, name: str, seed: int = 50) -> None:
    from tests.tiny import draw_picture

    Pillow.fromarray(draw_picture(seed)).save(watched.gallery / name)
    watched.source.script.append({name})


def test_nothing_happens_while_nothing_changes(watched: Watched):
    assert watched.steps(20) == "watching" and watched.builds.started == 0
    assert watched.source.waits[-20:] == [IDLE] * 20


def test_a_new_picture_starts_one_update_once_the_folder_has_settled(watched: Watched):
    add(watched, "new.png")
    watched.source.script += [{"new.png"}, {"other.png"}]
    assert watched.steps(3) == "noticed" and watched.watcher.status.changes == 2 and watched.builds.started == 0
    assert watched.steps(1) == "watching" and watched.builds.started == 1
    assert watched.steps(5) == "watching" and watched.builds.started == 1


def test_changes_that_leave_the_index_as_it_is_start_no_update(watched: Watched):
    watched.source.script += [{"1.png"}, set()]
    assert watched.steps(3) == "watching" and watched.builds.started == 0


def test_what_changed_while_nobody_watched_is_noticed(gallery: Path, build_index: Callable[..., Path]):
    watched = Watched(gallery, build_index(gallery))
    (gallery / "1.png").unlink()
    watched.steps(2)
    assert watched.builds.started == 1


def test_the_next_update_waits_for_a_rest(watched: Watched):
    add(watched, "new.png")
    watched.steps(2)
    ended = watched.clock.now
    add(watched, "another.png", 51)
    while watched.builds.started < 2:
        watched.steps(1)
    assert watched.clock.now - ended >= REST


def test_r92_changes_wait_while_a_build_runs(watched: Watched):
    watched.builds.running_for = 50
    add(watched, "new.png")
    assert watched.steps(10) == "updating" and watched.builds.started == 0
    watched.builds.running_for = 0
    watched.steps(1)
    assert watched.builds.started == 1


def test_the_folder_is_not_looked_at_while_a_build_runs(watched: Watched):
    """A network drive would be scanned again every second."""
    watched.builds.running_for = 50
    add(watched, "new.png")
    watched.steps(2)
    before = len(watched.source.waits)
    assert watched.steps(10) == "updating" and len(watched.source.waits) <= before + 1


def test_a_build_that_somebody_cancels_does_not_start_again_by_itself(watched: Watched):
    watched.builds.running_for = 5
    add(watched, "new.png")
    watched.steps(3)
    watched.builds.end("cancelled")
    assert watched.steps(30) == "watching" and watched.builds.started == 0
    add(watched, "another.png", 51)
    watched.steps(20)
    assert watched.builds.started == 1


def test_a_collection_that_another_process_has_renamed_is_not_built_under_its_old_name(
    watched: Watched, tmp_path: Path
):
    table = CollectionTable(tmp_path / "data")
    table.add("Mine", [watched.gallery])
    watched.watcher._settings = watched.watcher._settings.changed(data=tmp_path / "data", collection="Mine")
    add(watched, "new.png")
    assert watched.steps(5) == "watching" and watched.builds.started == 1 and not watched.watcher.stop.is_set()
    table.rename("Mine", "Yours")
    add(watched, "newer.png", 51)
    watched.steps(5)
    assert watched.builds.started == 1 and watched.watcher.stop.is_set()


@pytest.mark.parametrize("outcome", ["The disk is full.", "Only 3 of 9 indexed pictures are left."])
def test_r93_failed_updates_are_said_and_not_repeated_at_once(watched: Watched, outcome: str):
    watched.builds.outcomes = [("failed", outcome)] * 100
    add(watched, "new.png")
    assert watched.steps(2) == "paused" and watched.watcher.status.message == outcome
    began = watched.clock.now
    while watched.builds.started < 4:
        watched.source.script.append({"more.png"})
        assert watched.steps(1) == "paused"
    assert watched.clock.now - began >= (1 + 2 + 4) * FIRST_PAUSE


def test_r93_a_build_that_cannot_be_started_is_said(watched: Watched):
    watched.builds.refusal = IndexProblem("The build cannot be started: Read-only file system.")
    add(watched, "new.png")
    assert watched.steps(2) == "paused" and "Read-only" in watched.watcher.status.message
    watched.builds.refusal = None
    watched.clock.now += FIRST_PAUSE
    watched.steps(2)
    assert watched.builds.started == 1


def test_r93_a_build_by_somebody_else_ends_the_pause(watched: Watched, build_index: Callable[..., Path]):
    watched.builds.outcomes = [("failed", "The disk is full.")]
    add(watched, "new.png")
    assert watched.steps(2) == "paused"
    watched.served = SimpleNamespace(folder=build_index(watched.gallery))
    watched.builds.started += 1
    watched.builds.end("done")
    assert watched.steps(2) == "watching" and watched.builds.started == 2
    assert not watched.watcher._pace.failures


def test_a_cancelled_update_starts_again_with_the_next_change_only(watched: Watched):
    watched.builds.outcomes = [("cancelled", "")]
    add(watched, "new.png")
    assert watched.steps(30) == "watching" and watched.builds.started == 1
    add(watched, "another.png", 51)
    watched.steps(20)
    assert watched.builds.started == 2


def test_an_update_that_reads_all_pictures_again_does_not_start_by_itself(watched: Watched):
    watched.builds.notice = "All 8 pictures are read again: the backbone has changed."
    add(watched, "new.png")
    assert watched.steps(20) == "held" and watched.builds.started == 0
    assert (watched.watcher.status.changes, watched.watcher.status.message) == (1, watched.builds.notice)


def test_the_first_build_is_started_by_a_person(watched: Watched):
    served, watched.served = watched.served, IndexProblem("There is no index.")
    add(watched, "new.png")
    assert watched.steps(20) == "watching" and watched.builds.started == 0
    watched.served = served
    watched.steps(3)
    assert watched.builds.started == 1


def test_r93_a_folder_that_goes_and_comes_back(watched: Watched, tmp_path: Path):
    watched.gallery.rename(tmp_path / "away")
    before = watched.clock.now
    assert watched.steps(30) == "away" and watched.builds.started == 0
    assert watched.clock.now - before >= 29 * AWAY and watched.source.closed == 1
    Pillow.new("RGB", (40, 40)).save(tmp_path / "away" / "new.png")
    (tmp_path / "away").rename(watched.gallery)
    watched.steps(2)
    assert watched.builds.started == 1 and len(watched.source.opened) == 2


def test_r100_one_of_several_folders_goes_and_comes_back(
    gallery: Path, build_index: Callable[..., Path], tmp_path: Path
):
    more = tuple(eight_pictures(tmp_path / name) for name in ("b", "c"))
    watched = Watched(gallery, build_index(gallery, rules=GalleryRules(more_folders=more)), *more)
    assert watched.steps(2) == "watching" and watched.watcher.status.message == "" and not watched.builds.started
    for number, folder in enumerate(more, start=1):
        folder.rename(tmp_path / "elsewhere")
        add(watched, f"{number} of the others.png", 60 + number)
        assert watched.steps(10) == "away" and watched.builds.started == number - 1
        assert watched.watcher.status.message == f"Missing: {folder}." and watched.source.closed == number
        (tmp_path / "elsewhere" / "1.png").unlink()
        (tmp_path / "elsewhere").rename(folder)
        watched.source.script.clear()
        while watched.builds.started < number:
            assert watched.steps(1) != "away"
        watched.served = SimpleNamespace(folder=build_index(gallery, rules=GalleryRules(more_folders=more)))
        assert watched.steps(10) == "watching" and len(watched.source.opened) == number + 1
    folder.rename(tmp_path / "elsewhere")
    eight_pictures(folder)  # another disk
    watched.steps(1)
    assert len(watched.source.opened) == 4


def test_r93_an_empty_folder_in_place_of_a_disk(watched: Watched, tmp_path: Path):
    """The empty mount point is another folder; the updates that its emptiness makes fail are over when it is not."""
    watched.gallery.rename(tmp_path / "away")
    watched.gallery.mkdir()
    watched.builds.outcomes = [("failed", "There are no pictures, but the index holds 8.")] * 100
    assert watched.steps(3) == "paused" and watched.builds.started == 1
    watched.gallery.rmdir()
    (tmp_path / "away").rename(watched.gallery)
    assert watched.steps(2) == "watching" and watched.builds.started == 1


def test_r94_reports_that_end_are_asked_for_again(watched: Watched):
    watched.source.script.append(WatchLost("The system does not report changes."))
    assert watched.steps(1) == "watching" and watched.source.closed == 1
    (watched.gallery / "1.png").unlink()
    watched.steps(2)
    assert len(watched.source.opened) == 2 and watched.builds.started == 1


def test_a_folder_that_cannot_be_watched_is_tried_again(watched: Watched):
    watched.source.script.append(WatchLost("gone"))
    watched.source.refused.append(GalleryProblem("The patterns cannot be read."))
    watched.steps(1)
    assert watched.steps(1) == "away" and watched.steps(2) == "watching"


@pytest.mark.parametrize(
    ("given", "watches"),
    [
        ({}, False),
        ({"watch": "auto", "admin": "local"}, True),
        ({"watch": "auto", "admin": "login"}, False),
        ({"watch": "on"}, True),
        ({"watch": "off", "admin": "local"}, False),
    ],
)
def test_auto_watches_for_local_use_only(given: dict[str, str], watches: bool, tmp_path: Path, monkeypatch):
    monkeypatch.delenv("BOXFIND_WATCH")
    assert Settings.load(gallery=tmp_path, **given).watches == watches
    assert not Settings.load(**given).watches, "the sample gallery is never watched"


def test_real_files_are_noticed(gallery: Path, build_index, monkeypatch, draw: Draw):
    """A picture that is copied and one that is deleted; the update is a build in this process."""
    monkeypatch.setattr(folder_events, "STEP", 100)
    settings = Settings.load(gallery=gallery, index=build_index(gallery).parent, watch="on", watch_settle=0.3)
    engine = Engine(settings)
    monkeypatch.setattr(engine.builds, "update_notice", lambda *_, **__: "")
    updates: list[int] = []
    updated = threading.Event()

    def update() -> None:
        build_index(gallery)
        updates.append(len(engine.gallery(newest=True).tables.ids))
        updated.set()

    monkeypatch.setattr(engine.builds, "start", update)
    monkeypatch.setattr("boxfind.update_pace.REST", 0.0)
    engine.watch()
    try:
        for count in (9, 8):
            if count == 9:
                Pillow.fromarray(draw(70)).save(gallery / "new.png")
            else:
                (gallery / "new.png").unlink()
            assert updated.wait(60), "the change was not noticed"
            updated.clear()
            assert updates[-1] == count
    finally:
        engine.stop_watching()
    shutil.rmtree(gallery)
