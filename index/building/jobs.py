"""Run builds: one at a time per index, with progress in build.json and cancellation from any process."""

import contextlib
import os
import secrets
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

from index.building.cancellation import CANCELLED, Cancellation
from index.storage.file_system import replace_file
from retrieval.errors import BoxfindError, BuildCancelled, BuildRunning

LOCK_TIMEOUT = 1.0
"""Seconds a build waits for the lock. A status check holds it for a moment."""
WRITE_EVERY = 0.25
"""Seconds between updates of build.json, and between checks for a cancel request."""
START_TIMEOUT = 60.0
"""Seconds that a build process may take until it holds the lock. After that it counts as failed."""
BUILD_ID = "_BOXFIND_BUILD_ID"
"""Environment variable with the id of the build that a process is started for."""
NEW_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
"""Windows only: Ctrl+C in the server's terminal does not stop the build. POSIX uses a new session instead."""
NICENESS = 15
"""A build yields to searches: it gets a few percent of a busy CPU, and all of an idle one."""


class BuildState(BaseModel):
    """Progress or outcome of a build. Times are seconds since the Unix epoch."""

    model_config = ConfigDict(frozen=True)
    state: Literal["running", "done", "failed", "cancelled"]
    id: str = ""
    """Random, so that a cancel request never reaches another build."""
    pid: int
    """0 until the process has started."""
    host: str = ""
    started: float
    stage: str = "Starting"
    stage_started: float
    now: float
    stage_done: int = 0
    """What was done of this stage when it began, or went on after another one."""
    done: int = 0
    total: int = 0
    message: str = ""
    notice: str = ""
    """Why the build reads all pictures again, or why it keeps an index of another precision. Empty if neither."""
    searchable: int = 0
    """Number of pictures that can be searched while the build goes on; 0 until it has published some."""
    starting: bool = False
    """The process is starting and does not hold the lock yet."""
    cancelling: bool = False
    """A running build was asked to stop."""

    @property
    def rate(self) -> float:
        """Pictures per second since this stage began or went on; 0 before the first."""
        seconds = self.now - self.stage_started
        return (self.done - self.stage_done) / seconds if seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        return (self.total - self.done) / self.rate if self.total and self.rate else None


def build_state(index_dir: Path) -> BuildState | None:
    """State of the running build, or of the last one; None if the index was never built.

    A build whose process died without reporting counts as failed.
    """
    state = _read(index_dir)
    while state is not None and state.state == "running" and not (_is_starting(state) or _locked(index_dir)):
        again = _read(index_dir)
        if again == state:
            message = "The build stopped unexpectedly; see build.log."
            return state.model_copy(update={"state": "failed", "message": message})
        state = again  # it ended, or another one started, between the first read and the lock check
    if state is not None and state.state == "running":
        return state.model_copy(update={"cancelling": bool(state.id) and _cancel_request(index_dir) == state.id})
    return state


@contextmanager
def building(index_dir: Path, cancellation: Cancellation | None = None) -> Iterator["BuildReport"]:
    """Hold the build lock and yield a BuildReport, the progress function for `index.building.build`.

    Progress is written to build.json. The operating system releases the lock if the process dies. Raises
    BuildRunning; the progress function raises BuildCancelled after a cancel request.
    """
    with locked(index_dir):
        report, ended = BuildReport(index_dir, cancellation or Cancellation()), threading.Event()
        watcher = threading.Thread(target=_watch, args=[index_dir, report, ended], daemon=True)
        outcome: dict[str, str] = {}
        try:
            report.update()
            watcher.start()
            yield report
            outcome = {"state": "done"}
        except BuildCancelled as cancelled:
            outcome = {"state": "cancelled", "message": f"{cancelled}{report.searchable_sentence}"}
            raise
        except BaseException as error:
            message = str(error) if isinstance(error, BoxfindError) else f"{type(error).__name__}: {error}"
            outcome = {"state": "failed", "message": f"{message}{report.searchable_sentence}"}
            raise
        finally:
            with contextlib.suppress(BuildCancelled):
                report.cancellation.close()  # the outcome is certain
            ended.set()
            if watcher.ident:
                watcher.join()
            with contextlib.suppress(OSError):  # disk full: a "running" state without the lock reads as failed
                (index_dir / "build.cancel").unlink(missing_ok=True)
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


def request_cancel(index_dir: Path, build: str = "") -> BuildState | None:
    """Ask the running build, in any process, to stop; with `build`, only if it has this id. Returns its state.

    Does nothing and returns None if no such build is running.
    """
    state = build_state(index_dir)
    if state is None or state.state != "running" or build not in ("", state.id):
        return None
    _replace(index_dir / "build.cancel", state.id)
    return state.model_copy(update={"cancelling": True})


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

    def __init__(self, index_dir: Path, cancellation: Cancellation) -> None:
        self.cancellation = cancellation
        self._index_dir, self._written = index_dir, 0.0
        self._state = _new_state(os.environ.pop(BUILD_ID, ""), os.getpid())

    @property
    def id(self) -> str:
        return self._state.id

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.cancellation.check()
        now = time.time()
        facts = {"done": done, "total": total, "now": now}
        if stage != self._state.stage:
            self.update(stage=stage, stage_started=now, stage_done=done, **facts)
        elif now - self._written > WRITE_EVERY:
            self.update(**facts)
        else:
            self._state = self._state.model_copy(update=facts)

    def notify(self, sentence: str) -> None:
        """Show a notice with the build's progress."""
        self.update(notice=sentence)

    def landed(self, searchable: int, _: int) -> None:
        """Say how many pictures can be searched already."""
        self.update(searchable=searchable)

    @property
    def searchable_sentence(self) -> str:
        """ " 12,400 pictures can be searched."; empty if the build has published none."""
        count = self._state.searchable
        return f" {count:,} {'picture' if count == 1 else 'pictures'} can be searched." if count else ""

    def update(self, **facts: object) -> None:
        """Change the state and write it to build.json."""
        self._state = self._state.model_copy(update=facts)
        _write(self._index_dir, self._state)
        self._written = time.time()


def _watch(index_dir: Path, report: BuildReport, ended: threading.Event) -> None:
    """Watch for a cancel request, also while the build reports no progress.

    It raises once: if a progress check raised first, the SIGTERM handler would raise again, in the middle of the
    cleanup.
    """
    while _cancel_request(index_dir) != report.id:
        if ended.wait(WRITE_EVERY):
            return
    if callable(signal.getsignal(signal.SIGTERM)):  # the handler makes the request
        _interrupt_this_process()
    else:
        report.cancellation.requested = True


def _interrupt_this_process() -> None:
    if sys.platform == "win32":  # os.kill would end the process without calling its handler
        signal.raise_signal(signal.SIGTERM)
    else:  # to the main thread, whose waiting it ends
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


def start_build_process(command: Sequence[str], index_dir: Path) -> None:
    """Start a build in a detached process that outlives this one; its output goes to build.log.

    Its state is "running" from now on, and it can be cancelled while it starts. Raises OSError.
    """
    index_dir.mkdir(parents=True, exist_ok=True)
    state = _new_state(secrets.token_hex(8), pid=0).model_copy(update={"starting": True})
    with (index_dir / "build.log").open("wb") as log:
        with contextlib.suppress(BuildRunning), locked(index_dir):  # if it is, the process reports it
            _write(index_dir, state)
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {BUILD_ID: state.id},
                start_new_session=True,
                creationflags=NEW_GROUP,
            )
        except OSError:
            _report_early_end(index_dir, state.id)
            raise
    threading.Thread(target=_wait, args=[process, index_dir, state.id], daemon=True).start()


def _wait(process: subprocess.Popen[bytes], index_dir: Path, build: str) -> None:
    process.wait()
    with contextlib.suppress(OSError):
        _report_early_end(index_dir, build)


def _report_early_end(index_dir: Path, build: str) -> None:
    """Record the outcome of a build process that ended before it held the lock."""
    with contextlib.suppress(BuildRunning), locked(index_dir):
        state = _read(index_dir)
        if state is None or state.id != build or not state.starting:
            return
        log = (index_dir / "build.log").read_text(encoding="utf-8", errors="replace").strip()
        message = log.splitlines()[-1] if log else "The build could not be started; see build.log."
        outcome = {"state": "cancelled" if message == CANCELLED else "failed", "message": message, "starting": False}
        _write(index_dir, state.model_copy(update=outcome))


def _new_state(build: str, pid: int) -> BuildState:
    now, host = time.time(), socket.gethostname()
    return BuildState(
        state="running",
        id=build or secrets.token_hex(8),
        pid=pid,
        host=host,
        started=now,
        stage_started=now,
        now=now,
    )


def _is_starting(state: BuildState) -> bool:
    return state.starting and abs(time.time() - state.started) < START_TIMEOUT


def _cancel_request(index_dir: Path) -> str:
    """The id of the build that was last asked to stop; empty if there is none."""
    try:
        return (index_dir / "build.cancel").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


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


def _write(index_dir: Path, state: BuildState) -> None:
    _replace(index_dir / "build.json", state.model_dump_json(exclude={"cancelling"}))


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
    part.write_text(text, encoding="utf-8")
    replace_file(part, path)
