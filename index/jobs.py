"""A build as a process of its own: one at a time, its progress in a file that anyone may read."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from retrieval.errors import BoxfindError, BuildRunning
from retrieval.weights import Progress

LOCK_PATIENCE = 1.0
"""Seconds a build waits for the lock, since whoever asks after a build holds it for an instant."""
WRITE_EVERY = 0.25


class BuildState(BaseModel):
    """What a build is doing, or how it ended. Times are seconds since 1970."""

    model_config = ConfigDict(frozen=True)
    state: Literal["running", "done", "failed"]
    pid: int
    started: float
    stage: str = "Starting"
    stage_started: float
    now: float
    done: int = 0
    total: int = 0
    message: str = ""

    @property
    def rate(self) -> float:
        """Pictures a second in this stage; 0 before the first."""
        seconds = self.now - self.stage_started
        return self.done / seconds if seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        return (self.total - self.done) / self.rate if self.total and self.rate else None


def build_state(index_dir: Path) -> BuildState | None:
    """The build that is running or was the last to run; None when there never was one.

    A build that died without a word counts as failed.
    """
    try:
        state = BuildState.model_validate_json((index_dir / "build.json").read_bytes())
    except (OSError, ValidationError):
        return None
    if state.state == "running" and not _locked(index_dir):
        return state.model_copy(update={"state": "failed", "message": "The build stopped unexpectedly; see build.log."})
    return state


@contextmanager
def building(index_dir: Path) -> Iterator[Progress]:
    """Makes the body the one build of this index: give the progress function it yields to `index.build`.

    What the body reports stands in build.json for everyone to read. The operating system frees the lock when the
    process dies. Raises BuildRunning.
    """
    with _lock(index_dir), _reported(index_dir) as progress:
        yield progress


@contextmanager
def _lock(index_dir: Path) -> Iterator[None]:
    index_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(index_dir / "build.lock")
    try:
        lock.acquire(timeout=LOCK_PATIENCE)
    except Timeout:
        state = build_state(index_dir)
        since = time.strftime(" since %H:%M:%S", time.localtime(state.started)) if state else ""
        who = f" (process {state.pid})" if state else ""
        raise BuildRunning(f"The index is already being built{since}{who}; wait until that is done.") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _reported(index_dir: Path) -> Iterator[Progress]:
    now = time.time()
    state = BuildState(state="running", pid=os.getpid(), started=now, stage_started=now, now=now)
    written = 0.0

    def progress(stage: str, done: int, total: int) -> None:
        nonlocal state, written
        now = time.time()
        new_stage = stage != state.stage
        begun = now if new_stage else state.stage_started
        state = state.model_copy(
            update={"stage": stage, "done": done, "total": total, "now": now, "stage_started": begun}
        )
        if new_stage or now - written > WRITE_EVERY:
            _write(index_dir, state)
            written = now

    try:
        yield progress
    except BaseException as error:
        message = str(error) if isinstance(error, BoxfindError) else f"{type(error).__name__}: {error}"
        _write(index_dir, state.model_copy(update={"state": "failed", "message": message}))
        raise
    _write(index_dir, state.model_copy(update={"state": "done", "now": time.time()}))


def start_build(command: Sequence[str], index_dir: Path) -> None:
    """Starts a build that outlives the page it was asked from; what it prints goes to build.log."""
    index_dir.mkdir(parents=True, exist_ok=True)
    with (index_dir / "build.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    threading.Thread(target=process.wait, daemon=True).start()  # else it stays in the process table when it has ended


def _locked(index_dir: Path) -> bool:
    try:
        with FileLock(index_dir / "build.lock", timeout=0):
            return False
    except Timeout:
        return True


def _write(index_dir: Path, state: BuildState) -> None:
    index_dir.mkdir(parents=True, exist_ok=True)
    part = index_dir / f"build.json.{os.getpid()}"
    part.write_text(state.model_dump_json(), encoding="utf-8")
    os.replace(part, index_dir / "build.json")
