"""One build at a time; its progress and outcome are visible to other processes."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from index.building import jobs
from index.building.jobs import BuildProcess, BuildState, build_state, building
from retrieval.errors import BuildRunning, GalleryProblem

ROOT = Path(__file__).parents[3]
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


def ended(process: BuildProcess) -> BuildState:
    while process.state().state == "running":
        time.sleep(0.05)
    return process.state()


def test_a_process_that_dies_early_reports_its_last_output(tmp_path: Path):
    failing = BuildProcess([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path / "index")
    assert failing.state().pid != os.getpid()
    state = ended(failing)
    assert (state.state, state.message) == ("failed", "no such thing")


def test_the_state_comes_from_the_process_once_it_runs(tmp_path: Path):
    process = BuildProcess([sys.executable, "-c", HOLD.replace("time.sleep(60)", "pass"), str(tmp_path)], tmp_path)
    assert process.state().state == "running"
    state = ended(process)
    assert (state.state, state.done, state.total) == ("done", 3, 10)


@pytest.mark.parametrize("system", ["linux", "win32"])
def test_a_cancel_request_calls_the_sigterm_handler(monkeypatch: pytest.MonkeyPatch, system: str):
    if system == "win32":  # os.kill would end the process without its handler
        monkeypatch.setattr(jobs.os, "kill", lambda *_: pytest.fail("os.kill was called"))
    monkeypatch.setattr(jobs.sys, "platform", system)
    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        jobs._interrupt_this_process()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]
