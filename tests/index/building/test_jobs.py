"""One build at a time; its progress and outcome are visible to other processes."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from boxfind.commands.cancelled_by_signals import cancelled_by_signals
from index.building import jobs
from index.building.build import build
from index.building.jobs import BuildState, build_state, building, request_cancel, start_build_process
from index.building.thread_executor import ThreadExecutor
from retrieval.errors import BoxfindError, BuildCancelled, BuildRunning, GalleryProblem

ROOT = Path(__file__).parents[3]
OWN_PID = "own process id"
HOLD = """
import sys, time
from pathlib import Path
from index.building.jobs import building

with building(Path(sys.argv[1])) as progress:
    progress("Reading pictures", 3, 10)
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other_process(tmp_path: Path):
    """Another process that holds the build lock and reports progress."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_an_index_that_was_never_built_has_no_state(tmp_path: Path):
    assert build_state(tmp_path) is None
    assert build_state(tmp_path / "gone") is None
    (tmp_path / "build.json").write_text("{")
    assert build_state(tmp_path) is None


@pytest.mark.parametrize(("searchable", "says"), [(0, ""), (1, " 1 picture"), (12_400, " 12,400 pictures")])
@pytest.mark.parametrize("error", [BuildCancelled("Cancelled."), GalleryProblem("The disk is gone.")])
def test_r85_a_build_that_ends_early_says_how_many_pictures_can_be_searched(
    tmp_path: Path, error: BoxfindError, searchable: int, says: str
):
    with pytest.raises(type(error)), building(tmp_path) as report:
        if searchable:
            report.landed(searchable, 98_310)
            assert build_state(tmp_path).searchable == searchable
        raise error
    assert build_state(tmp_path).message == f"{error}{says}{' can be searched.' if says else ''}"


def test_state_of_a_build_that_succeeds(tmp_path: Path):
    with building(tmp_path) as progress:
        progress("Reading pictures", 2, 8)
        during = build_state(tmp_path)
    assert during and (during.state, during.stage, during.done, during.total) == (
        "running",
        "Reading pictures",
        2,
        8,
    )
    assert during.pid == os.getpid()
    after = build_state(tmp_path)
    assert after and after.state == "done" and after.message == ""


def test_a_notice_is_visible_while_the_build_runs(tmp_path: Path):
    with building(tmp_path) as report:
        report.notify("All 8 pictures are read again: keypoints changed from 0 to 500.")
        report("Reading pictures", 2, 8)
        during = build_state(tmp_path)
    assert during and (during.stage, during.done) == ("Reading pictures", 2)
    assert during.notice == "All 8 pictures are read again: keypoints changed from 0 to 500."
    with building(tmp_path):
        assert build_state(tmp_path).notice == ""


@pytest.mark.parametrize(
    ("error", "message"),
    [(GalleryProblem("There is no picture."), "There is no picture."), (OSError("disk full"), "OSError: disk full")],
)
def test_state_of_a_build_that_fails(tmp_path: Path, error, message):
    with pytest.raises(type(error)), building(tmp_path) as progress:
        progress("Reading pictures", 2, 8)
        raise error
    state = build_state(tmp_path)
    assert state and (state.state, state.message) == ("failed", message)
    with building(tmp_path) as progress:  # the next build may start
        progress("Looking", 0, 0)
    assert build_state(tmp_path).state == "done"


def test_r39_a_second_build_is_told_who_and_since_when(tmp_path: Path, other_process, monkeypatch):
    monkeypatch.setattr(jobs, "LOCK_TIMEOUT", 0.1)
    started = build_state(tmp_path).started
    with pytest.raises(BuildRunning) as caught, building(tmp_path):
        pytest.fail("two builds at once")
    sentence = str(caught.value)
    assert re.search(r"already being built \(started \d\d:\d\d:\d\d, process \d+\)", sentence)
    assert f"process {other_process.pid}" in sentence
    assert time.strftime("%H:%M:%S", time.localtime(started)) in sentence
    state = build_state(tmp_path)  # the refused build has not changed it
    assert (state.state, state.pid, state.done, state.total) == ("running", other_process.pid, 3, 10)


def test_a_killed_build_counts_as_failed_and_frees_the_index(tmp_path: Path, other_process):
    assert build_state(tmp_path).state == "running"
    other_process.kill()
    other_process.wait()
    state = build_state(tmp_path)
    assert state.state == "failed" and "stopped unexpectedly" in state.message and state.done == 3
    with building(tmp_path) as progress:
        progress("Looking", 0, 0)
    assert build_state(tmp_path).state == "done"


def test_a_build_that_ends_between_two_reads_has_not_failed(tmp_path: Path, monkeypatch):
    with building(tmp_path) as progress:
        progress("Looking", 0, 0)
        running = build_state(tmp_path)
    states = iter([running, build_state(tmp_path)])
    monkeypatch.setattr(jobs, "_read", lambda _: next(states))
    assert build_state(tmp_path).state == "done"


def test_rate_and_time_left():
    state = BuildState(state="running", pid=1, started=0, stage_started=100, now=110, done=20, total=50)
    assert state.rate == 2 and state.seconds_left == 15
    begun = state.model_copy(update={"now": 100.0, "done": 0})
    assert begun.rate == 0 and begun.seconds_left is None


def test_a_stage_that_goes_on_counts_from_where_it_was(tmp_path: Path):
    with building(tmp_path) as progress:
        progress("Finding details", 1, 100)
        progress("Finding details", 60, 100)
        progress("Analysing your gallery", 0, 0)
        progress("Finding details", 61, 100)
        state = build_state(tmp_path)
    assert (state.done, state.stage_done) == (61, 61) and state.rate == 0 and state.seconds_left is None
    later = state.model_copy(update={"now": state.stage_started + 2, "done": 63})
    assert later.rate == 1 and later.seconds_left == 37


def outcome(index_dir: Path) -> BuildState:
    while (state := build_state(index_dir)) and state.state == "running":
        time.sleep(0.05)
    assert state
    return state


def test_a_process_that_dies_early_reports_its_last_output(tmp_path: Path):
    start_build_process([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path / "index")
    state = outcome(tmp_path / "index")
    assert (state.state, state.message) == ("failed", "no such thing")


def test_a_program_that_does_not_exist_leaves_no_running_build(tmp_path: Path):
    with pytest.raises(OSError):
        start_build_process([str(tmp_path / "none")], tmp_path)
    assert build_state(tmp_path).state == "failed"


def test_a_build_that_never_starts_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs, "_report_early_end", lambda *_: None)  # the process that started it is gone too
    start_build_process([sys.executable, "-c", ""], tmp_path)
    assert build_state(tmp_path).state == "running"
    monkeypatch.setattr(jobs, "START_TIMEOUT", 0.0)
    assert build_state(tmp_path).state == "failed"


def test_the_state_comes_from_the_process_once_it_runs(tmp_path: Path):
    start_build_process([sys.executable, "-c", HOLD.replace("time.sleep(60)", "pass"), str(tmp_path)], tmp_path)
    assert build_state(tmp_path).state == "running"
    state = outcome(tmp_path)
    assert (state.state, state.done, state.total) == ("done", 3, 10)


def test_r67_a_build_can_be_cancelled_while_its_process_starts(tmp_path: Path):
    work = HOLD.replace("time.sleep(60)", 'while True: progress("Reading pictures", 3, 10)')
    start_build_process([sys.executable, "-c", work, str(tmp_path)], tmp_path)
    asked = request_cancel(tmp_path)
    assert asked and build_state(tmp_path).cancelling
    state = outcome(tmp_path)
    assert (state.state, state.id, state.cancelling) == ("cancelled", asked.id, False)
    assert not (tmp_path / "build.cancel").exists()


@pytest.mark.parametrize("stale", [OWN_PID, "0123456789abcdef", ""])
def test_r67_a_request_for_another_build_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stale: str):
    monkeypatch.setattr(jobs, "WRITE_EVERY", 0.01)
    (tmp_path / "build.cancel").write_text(str(os.getpid()) if stale == OWN_PID else stale)
    with building(tmp_path) as progress:
        time.sleep(0.2)
        progress("Reading pictures", 1, 2)
        assert not build_state(tmp_path).cancelling
    assert build_state(tmp_path).state == "done"
    with building(tmp_path):
        assert request_cancel(tmp_path, "0123456789abcdef") is None
        assert not (tmp_path / "build.cancel").exists()


@pytest.mark.parametrize(
    "stage", ["Looking for pictures", "Reading pictures", "Analysing your gallery", "Writing the index"]
)
def test_r67_a_request_is_seen_in_every_phase(gallery: Path, tmp_path: Path, tiny_embedder, pool, stage: str):
    index = tmp_path / "index"
    with (
        pytest.raises(BuildCancelled),
        cancelled_by_signals() as cancellation,
        building(index, cancellation) as report,
    ):

        def progress(name: str, done: int, total: int) -> None:
            report(name, done, total)
            if name == stage:
                assert request_cancel(index) and request_cancel(index)  # twice
                time.sleep(60)  # work without progress

        build(gallery, index, ThreadExecutor(tiny_embedder, pool), progress)
    assert build_state(index).state == "cancelled" and not (index / "CURRENT").exists()


def test_r67_progress_after_a_request_raises_again(tmp_path: Path):
    with pytest.raises(BuildCancelled), building(tmp_path) as progress:
        progress.cancellation.requested = True
        for _ in range(2):  # a library may swallow the first one
            with pytest.raises(BuildCancelled):
                progress("Reading pictures", 1, 2)
        progress.cancellation.close()


def test_r67_a_request_raises_only_in_the_handler_of_the_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A progress check that raises before it would let the handler raise again in the middle of the cleanup."""
    interrupted, went_on = threading.Event(), False
    monkeypatch.setattr(jobs, "WRITE_EVERY", 0.01)
    monkeypatch.setattr(jobs, "_interrupt_this_process", interrupted.set)
    with (
        pytest.raises(BuildCancelled),
        cancelled_by_signals() as cancellation,
        building(tmp_path, cancellation) as told,
    ):
        request_cancel(tmp_path)
        assert interrupted.wait(20)
        told("Reading pictures", 1, 2)  # the signal has not arrived
        went_on = True
        signal.raise_signal(signal.SIGTERM)
    assert went_on and build_state(tmp_path).state == "cancelled"


@pytest.mark.parametrize("system", ["linux", "win32"])
def test_a_cancel_request_calls_the_sigterm_handler(monkeypatch: pytest.MonkeyPatch, system: str):
    monkeypatch.setattr(jobs.os, "kill", lambda *_: pytest.fail("os.kill would end a process of Windows"))
    if system == "win32":
        monkeypatch.delattr(jobs.signal, "pthread_kill")
    monkeypatch.setattr(jobs.sys, "platform", system)
    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        jobs._interrupt_this_process()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]
