"""Run benchmark programs one after the other, each in a process of its own; a failure does not stop the others."""

import subprocess
import time
from collections.abc import Mapping, Sequence

import psutil

LIMIT, FULL_LIMIT = 3600.0, 6 * 3600.0
"""Seconds after which a program of a short or a full run is ended and counts as failed."""


def run_all(commands: Mapping[str, Sequence[str]], limit: float = LIMIT) -> list[str]:
    """Run a command for each program, say what runs and how long it took, and return the names of failed programs."""
    began, failed = time.monotonic(), list[str]()
    for number, (name, command) in enumerate(commands.items(), start=1):
        place = f"[{number}/{len(commands)}] {name}"
        print(f"{place}: started after {_minutes(began)} min", flush=True)
        start = time.monotonic()
        problem = _run(command, limit)
        print(f"{place}: {problem or 'finished'} after {time.monotonic() - start:.0f} s", flush=True)
        if problem:
            failed.append(name)
    print(f"{len(commands) - len(failed)} of {len(commands)} programs finished in {_minutes(began)} min.", flush=True)
    if failed:
        print(f"Failed: {', '.join(failed)}. Tables that they did not write are those of earlier runs.", flush=True)
    return failed


def _run(command: Sequence[str], limit: float) -> str:
    """Run a command; return what went wrong, or nothing."""
    with subprocess.Popen(command) as process:
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            _end(process.pid)
            return f"ended, because it ran longer than {limit:.0f} s,"
        except BaseException:  # the user stops the run
            _end(process.pid)
            raise
    return f"failed with exit status {status}" if status else ""


def _end(pid: int) -> None:
    """End a process and what it started, such as servers."""
    try:
        process = psutil.Process(pid)
        every = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for one in every:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue


def _minutes(began: float) -> str:
    return f"{(time.monotonic() - began) / 60:.1f}"
