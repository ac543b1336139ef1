"""Measure the time from the start of the program to the first result, and its peak memory."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.pictures import chosen, copied
from benchmarks.results import table
from benchmarks.speed.memory import Peak
from boxfind.evaluation.dataset import BoxedQuery
from boxfind.settings import PROJECT, Settings
from retrieval.images.decode import load_image
from retrieval.types import Box

REPEATS = 5
RANKING = "fast"
NOTE = """Each measurement in a fresh process, with files in the page cache and the network converted; medians of {}
starts. Seconds count from the start of the process. Memory is the peak of one process, mapped files included; the
build is one of {} pictures with {} decoder processes."""


def start_report(settings: Settings, query: BoxedQuery, pictures: int) -> str:
    """Two tables: startup steps of the page and the command line, and peak memory."""
    environment = os.environ | {
        "BOXFIND_INDEX": str(settings.index_dir),
        "BOXFIND_DATA": str(settings.data),
        "BOXFIND_RUNTIME": settings.runtime,
        "BOXFIND_OFFLINE": "1",
    }
    box = query.box or Box.whole(load_image(query.image))
    page = [*map(str, (query.image, *box.xywh)), RANKING]
    sides = ",".join(map(str, box.xywh))
    search = ["search", "--index", str(settings.index_dir), "--image", str(query.image), "--box", sides]
    runs = [(_steps(page, environment), _ended(search, environment)) for _ in range(REPEATS + 1)][1:]
    steps = {name: _median([steps[name] for (steps, _), _ in runs]) for name in runs[0][0][0]}
    steps["`cli.py search` has exited"] = _median([seconds for _, (seconds, _) in runs])
    first = next(seconds for name, seconds in steps.items() if name.startswith("first result"))
    rows = [[name, f"{seconds / first:.0%}", f"{seconds:.2f}"] for name, seconds in steps.items()]
    built, count = _build_peak(settings, environment, pictures)
    memory = {
        "the page process, after one search": _median([peak.own for (_, peak), _ in runs]),
        "`cli.py search`": _median([peak.own for _, (_, peak) in runs]),
        "`cli.py build`, the process that runs the network": built.own,
        "`cli.py build`, the largest decoder process": built.below,
    }
    return "\n\n".join(
        [
            NOTE.format(REPEATS, count, settings.build.workers),
            table(["step", "share of the first result", "seconds"], rows),
            table(["peak memory", "MB"], [[name, f"{peak / 1e6:.0f}"] for name, peak in memory.items()]),
        ]
    )


def _steps(page: Sequence[str], environment: dict[str, str]) -> tuple[dict[str, float], Peak]:
    _, out, peak = _run(["-m", "benchmarks.speed.first_result", repr(time.time()), *page], environment)
    steps: dict[str, float] = json.loads(out)
    print(steps, file=sys.stderr, flush=True)
    return steps, peak


def _ended(command: Sequence[str], environment: dict[str, str]) -> tuple[float, Peak]:
    seconds, _, peak = _run(["cli.py", *command], environment)
    return seconds, peak


def _build_peak(settings: Settings, environment: dict[str, str], pictures: int) -> tuple[Peak, int]:
    """Peak memory of a build, and its number of pictures. A small build beforehand converts the network."""
    with tempfile.TemporaryDirectory() as scratch:
        few, gallery, index = (Path(scratch) / name for name in ("few", "gallery", "index"))
        paths = copied(chosen(settings.gallery_dir, pictures), gallery)
        copied(paths[:5], few)
        build = ["build", "--backbone", settings.build.backbone, "--index"]
        _ended([*build, str(index) + "-first", "--gallery", str(few)], environment)
        _, peak = _ended([*build, str(index), "--gallery", str(gallery)], environment)
        return peak, len(paths)


def _run(command: Sequence[str], environment: dict[str, str]) -> tuple[float, str, Peak]:
    """Run a Python process; returns seconds, output and peak memory. Raises CalledProcessError."""
    began = time.perf_counter()
    given = [sys.executable, *command]
    with subprocess.Popen(given, stdout=subprocess.PIPE, text=True, env=environment, cwd=PROJECT) as process:
        with Peak(process.pid) as peak:
            out, _ = process.communicate()
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, given)
    return time.perf_counter() - began, out, peak


def _median(values: Sequence[float]) -> float:
    return float(np.median(values))
