"""When the first search is possible during a first build, and what waves cost: builds with and without take turns."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.bench import Bench
from benchmarks.results import record, table
from boxfind.engine import Engine
from boxfind.settings import Settings
from index.storage.manifest import read_manifest
from retrieval.types import quiet

ROUNDS = 2
FIRST_WAVE = 3.0
"""Seconds of reading before the first wave. It is less than the setting, as the measured builds are short."""


@dataclass(frozen=True)
class _Build:
    """The waves of a build as (seconds, pictures), its seconds in all, and the hashes of what it wrote."""

    waves: list[tuple[float, int]]
    seconds: float
    files: dict[str, str]


def measure(bench: Bench) -> None:
    settings = bench.settings.changed(gallery=bench.galleries(1)[0])
    _build(settings, 0)  # converts the network
    rounds = [(_build(settings, 0), _build(settings, FIRST_WAVE)) for _ in range(ROUNDS)]
    rows = [_row(number, *pair) for number, pair in enumerate(rounds, start=1)]
    header = [
        *("round", "first search after s", "of pictures", "waves", "whole build s", "without waves s", "ratio"),
        "same files",
    ]
    ratio = np.median([waved.seconds / plain.seconds for plain, waved in rounds])
    rows.append(["median", "", "", "", "", "", f"{ratio:.2f}", ""])
    record("Waves and no waves by turns", table(header, rows))


def _build(settings: Settings, first_wave: float) -> _Build:
    """Build an index in an empty folder."""
    waves = list[tuple[float, int]]()
    with tempfile.TemporaryDirectory() as index:
        began = time.perf_counter()
        engine = Engine(settings.changed(index=Path(index), first_wave=first_wave))
        folder = engine.builds.build(
            quiet, landed=lambda pictures, _: waves.append((time.perf_counter() - began, pictures))
        )
        seconds = time.perf_counter() - began
        return _Build(waves, seconds, {name: facts.sha256 for name, facts in read_manifest(folder).files.items()})


def _row(number: int, plain: _Build, waved: _Build) -> list[object]:
    first, pictures = (f"{waved.waves[0][0]:.1f}", waved.waves[0][1]) if waved.waves else ("-", "-")
    return [
        *(number, first, pictures, len(waved.waves), f"{waved.seconds:.1f}", f"{plain.seconds:.1f}"),
        f"{waved.seconds / plain.seconds:.2f}",
        "yes" if waved.files == plain.files else "no",
    ]
