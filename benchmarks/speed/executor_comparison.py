"""Compare builds with local processes and on Ray: python -m benchmarks.speed.executor_comparison --gallery DIR.

Both use as many workers as this machine has CPUs. All files are written to a temporary folder.
"""

import tempfile
import time
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.pictures import chosen, copied
from benchmarks.results import keep, table
from boxfind.engine import Engine
from boxfind.settings import Settings
from index.gallery import Gallery

EXECUTORS = {"local processes": "local", "Ray on this machine": "ray"}
ROUNDS = 3
LOOKING = "Reading pictures"
NOTE = """{} pictures of {} with the bundled network, {} workers. Both engines run in turn in {} rounds, with the same
pictures in each round; figures are medians of the rounds. The rate of describing counts from the first quarter of the
pictures on, when all processes have started; total seconds include starting and stopping Ray. Cosine: the lowest
cosine between the two vectors of one region in both indexes."""


@dataclass(frozen=True, slots=True)
class Build:
    """Pictures per second after startup, and seconds from the command to the index."""

    rate: float
    seconds: float
    built: Gallery


def main(given: Namespace) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        pictures = chosen(given.gallery, given.pictures)
        parts = [copied(pictures[n::ROUNDS], Path(scratch) / f"part {n}") for n in range(ROUNDS)]
        settings = Settings.load(offline=True, backbone="efficientnet-lite0", data=Path(scratch) / "data")
        _build(settings, "local", parts[0][0].parent, Path(scratch) / "tried")  # converts the network
        rounds = [
            [_build(settings, engine, part[0].parent, Path(scratch) / f"{engine} {n}") for engine in EXECUTORS.values()]
            for n, part in enumerate(parts)
        ]
        rows = [
            _row(name, [builds[n] for builds in rounds], [builds[0] for builds in rounds])
            for n, name in enumerate(EXECUTORS)
        ]
    note = NOTE.format(len(pictures), given.gallery.parent.name, settings.build.workers, ROUNDS)
    header = ["engine", "describing, pictures/s", "total seconds", "same pictures and boxes", "cosine"]
    keep("Builds with local processes and on Ray", "\n\n".join([note, table(header, rows)]))


def _build(settings: Settings, engine: str, gallery: Path, index: Path) -> Build:
    ticks = []

    def progress(stage: str, done: int, _: int) -> None:
        if stage == LOOKING:
            ticks.append((time.perf_counter(), done))

    began = time.perf_counter()
    program = Engine(settings.changed(engine=engine, gallery=gallery, index=index))
    program.build(progress)
    ended = time.perf_counter()
    (first, before), (last, done) = ticks[len(ticks) // 4], ticks[-1]
    return Build((done - before) / (last - first), ended - began, program.gallery())


def _row(name: str, builds: list[Build], plain: list[Build]) -> list[str]:
    pairs = [(build.built, other.built) for build, other in zip(builds, plain, strict=True)]
    same = all(
        one.tables.ids == other.tables.ids and np.array_equal(one.tables.boxes, other.tables.boxes)
        for one, other in pairs
    )
    cosine = min(_least_cosine(one, other) for one, other in pairs) if same else float("nan")
    rate, seconds = np.median([(build.rate, build.seconds) for build in builds], axis=0)
    return [name, f"{rate:.1f}", f"{seconds:.0f}", "yes" if same else "no", f"{cosine:.6f}"]


def _least_cosine(one: Gallery, other: Gallery) -> float:
    rows = np.arange(one.region_count)
    return float((one.vectors(rows) * other.vectors(rows)).sum(axis=1).min())


def arguments() -> ArgumentParser:
    parser = ArgumentParser("python -m benchmarks.speed.executor_comparison", description=__doc__)
    parser.add_argument("--gallery", type=Path, required=True, help="a folder of pictures; it is not changed")
    parser.add_argument(
        "--pictures", type=int, default=600, help="pictures to build with; too few give no reliable rate"
    )
    return parser


if __name__ == "__main__":
    main(arguments().parse_args())
