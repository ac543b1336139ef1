"""Run builds: one at a time per index, with progress in build.json and cancellation from any process."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from index.storage.file_system import replace_file
from retrieval.errors import BoxfindError, BuildCancelled, BuildRunning

LOCK_TIMEOUT = 1.0
"""Seconds a build waits for the lock. A status check holds it for a moment."""
WRITE_EVERY = 0.25
"""Seconds between updates of build.json, and between checks for a cancel request."""
CANCELLED = "Cancelled. Finished work is kept, and the next build continues from there."
NEW_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
"""Windows only: Ctrl+C in the server's terminal does not stop the build. POSIX uses a new session instead."""
NICENESS = 15
"""A build yields to searches: it gets a few percent of a busy CPU, and all of an idle one."""


class BuildState(BaseModel):
    """Progress or outcome of a build. Times are seconds since the Unix epoch."""

    model_config = ConfigDict(frozen=True)
    state: Literal["running", "done", "failed", "cancelled"]
    pid: int
    host: str = ""
    started: float
    stage: str = "Starting"
    stage_started: float
    now: float
    done: int = 0
    total: int = 0
    message: str = ""
    notice: str = ""
    """Why all pictures are read again; empty if they are not."""

    @property
    def rate(self) -> float:
        """Pictures per second in this stage; 0 before the first."""
        seconds = self.now - self.stage_started
        return self.done / seconds if seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        return (self.total - self.done) / self.rate if self.total and self.rate else None


def build_state(index_dir: Path) -> BuildState | None:
    """State of the running build, or of the last one; None if the index was never built.

    A build whose process died without reporting counts as failed.
    """
    state = _read(index_dir)
    if state is not None and state.state == "running" and not _locked(index_dir):
        state = _read(index_dir)  # it may have ended between the first read and the lock check
        if state is not None and state.state == "running":
            message = "The build stopped unexpectedly; see build.log."
            return state.model_copy(update={"state": "failed", "message": message})
    return state


@contextmanager
def building(index_dir: Path) -> Iterator["BuildReport"]:
    """Hold the build lock and yield a BuildReport, the progress function for `index.building.build`.

    Progress is written to build.json. The operating system releases the lock if the process dies. Raises
    BuildRunning; the progress function raises BuildCancelled after a cancel request.
    """
    with locked(index_dir):
        report, ended = BuildReport(index_dir), threading.Event()
        watcher = threading.Thread(target=_watch, args=[index_dir, report, ended], daemon=True)
        watcher.start()
        outcome: dict[str, str] = {}
        try:
            yield report
            outcome = {"state": "done"}
        except BuildCancelled as cancelled:
            outcome = {"state": "cancelled", "message": str(cancelled)}
            raise
        except BaseException as error:
            message = str(error) if isinstance(error, BoxfindError) else f"{type(error).__name__}: {error}"
            outcome = {"state": "failed", "message": message}
            raise
        finally:
            ended.set()
            watcher.join()
            with contextlib.suppress(OSError):  # disk full: a "running" state without the lock reads as failed
                report.update(**outcome, now=time.time())


@contextmanager
def locked(index_dir: Path) -> Iterator[None]:
    """Hold the build lock: no other process can build or change CURRENT meanwhile. Raises BuildRunning."""
    index_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(index_dir / "build.lock")
    try:
        lock.acquire(timeout=LOCK_TIMEOUT)
    except Timeout:
        raise BuildRunning(_already_running_message(index_dir)) from None
    try:
        yield
    finally:
        lock.release()


def request_cancel(index_dir: Path) -> None:
    """Ask the running build, in any process, to stop. Does nothing if no build is running."""
    state = build_state(index_dir)
    if state is not None and state.state == "running":
        _replace(index_dir / "build.cancel", str(state.pid))


def cancel_this_build() -> None:
    """Raise BuildCancelled; for signal handlers of a build process."""
    raise BuildCancelled(CANCELLED)


def yield_to_others() -> None:
    """Lower the priority of this process below that of searches. Only for build processes: it cannot be undone."""
    with contextlib.suppress(AttributeError, OSError):
        os.nice(NICENESS)
    if not hasattr(os, "getsid") or os.getsid(0) != os.getpid():
        return  # the session is shared, for example with a terminal
    with contextlib.suppress(OSError):  # with autogroups Linux schedules sessions, not processes
        Path("/proc/self/autogroup").write_text(str(NICENESS), encoding="ascii")


def _already_running_message(index_dir: Path) -> str:
    state = build_state(index_dir)
    if state is None or state.state != "running":
        return "Another process is changing this index; try again in a moment."
    since = time.strftime("%H:%M:%S", time.localtime(state.started))
    where = f" on {state.host}" if state.host not in ("", socket.gethostname()) else ""
    return f"This index is already being built (started {since}, process {state.pid}{where}); wait until it is done."


class BuildReport:
    """A progress function that updates build.json and raises BuildCancelled after a cancel request."""

    def __init__(self, index_dir: Path) -> None:
        self.cancel_requested = False
        self._index_dir, self._written = index_dir, 0.0
        now = time.time()
        self._state = BuildState(
            state="running", pid=os.getpid(), host=socket.gethostname(), started=now, stage_started=now, now=now
        )
        self.update()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if self.cancel_requested:
            cancel_this_build()
        now = time.time()
        facts = {"done": done, "total": total, "now": now}
        if stage != self._state.stage:
            self.update(stage=stage, stage_started=now, **facts)
        elif now - self._written > WRITE_EVERY:
            self.update(**facts)
        else:
            self._state = self._state.model_copy(update=facts)

    def notify(self, sentence: str) -> None:
        """Show a notice with the build's progress."""
        self.update(notice=sentence)

    def update(self, **facts: object) -> None:
        """Change the state and write it to build.json."""
        self._state = self._state.model_copy(update=facts)
        _replace(self._index_dir / "build.json", self._state.model_dump_json())
        self._written = time.time()


def _watch(index_dir: Path, report: BuildReport, ended: threading.Event) -> None:
    """Watch for a cancel request, also while the build reports no progress."""
    request = index_dir / "build.cancel"
    while not ended.wait(WRITE_EVERY):
        with contextlib.suppress(OSError):
            if request.read_text(encoding="ascii") == str(os.getpid()):
                request.unlink()
                report.cancel_requested = True
                if callable(signal.getsignal(signal.SIGTERM)):  # the process has a SIGTERM handler
                    _interrupt_this_process()
                return


def _interrupt_this_process() -> None:
    if sys.platform == "win32":  # os.kill would end the process without calling its handler
        signal.raise_signal(signal.SIGTERM)
    else:
        os.kill(os.getpid(), signal.SIGTERM)


class BuildProcess:
    """A build in a detached process that outlives the server; its output goes to build.log."""

    def __init__(self, command: Sequence[str], index_dir: Path) -> None:
        self._index_dir = index_dir
        self._started = time.time()
        index_dir.mkdir(parents=True, exist_ok=True)
        with (index_dir / "build.log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                creationflags=NEW_GROUP,
            )
        threading.Thread(target=self._process.wait, daemon=True).start()  # reaps the process when it ends

    def state(self) -> BuildState:
        """Like build_state, but also covers the time before the process writes build.json, and its early death."""
        ended = self._process.poll()  # poll before reading, so the final state is never missed
        state = build_state(self._index_dir)
        if state is not None and state.started >= self._started:
            return state
        message = ""
        if ended is not None:
            log = (self._index_dir / "build.log").read_text(encoding="utf-8", errors="replace").strip()
            message = log.splitlines()[-1] if log else "The build could not be started; see build.log."
        return BuildState(
            state="running" if ended is None else "failed",
            pid=self._process.pid,
            started=self._started,
            stage_started=self._started,
            now=time.time(),
            message=message,
        )


def _locked(index_dir: Path) -> bool:
    try:
        with FileLock(index_dir / "build.lock", timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # read-only folder: no build can run there
        return False


def _read(index_dir: Path) -> BuildState | None:
    try:
        return BuildState.model_validate_json((index_dir / "build.json").read_bytes())
    except (OSError, ValidationError):
        return None


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    replace_file(part, path)
