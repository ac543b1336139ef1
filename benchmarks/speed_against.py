"""Compare the speed of builds with another revision, in turns: python -m benchmarks.speed_against REVISION DATASET."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.bench import Bench
from benchmarks.results import machine, table
from boxfind.evaluation.dataset_formats import read_dataset
from boxfind.settings import PROJECT, Settings

STAGES = ("Looking at pictures", "Reading pictures", "Finding details")
"""Stages that go through all pictures, in any revision since 0.3.0."""
KEYPOINTS = (500, 0)
LOOK_EVERY = 0.1
"""Seconds between looks at build.json, which a build writes four times a second."""
HEADER = [
    *("keypoints", "revision", "pictures/s, all that geometry needs", "pictures/s, whole build"),
    *("ms of a core per picture, whole build", "rounds"),
]


@dataclass(frozen=True)
class Measured:
    """One build: pictures per second in its stages and in all, and milliseconds of a core per picture in all."""

    describing: float
    whole: float
    core: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = ArgumentParser("python -m benchmarks.speed_against", description=__doc__)
    parser.add_argument("revision", help="a commit or tag of this repository")
    parser.add_argument("dataset", type=Path, help="folder of a labelled data set (docs/evaluation.md)")
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--packages",
        type=Path,
        nargs=1,
        default=[],
        help="folder of packages that the other revision needs besides (pip install --target)",
    )
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch, _checkout(given.revision, Path(scratch)) as other:
        dataset = read_dataset(given.dataset.resolve())
        gallery = Bench(dataset, Settings.load(), Path(scratch), given.pictures, 0).galleries(1)[0]
        trees = {given.revision: [other, *given.packages], "this one": [PROJECT]}
        for tree in trees.values():
            measured_build(tree, _first_pictures(gallery, Path(scratch)), 0, Path(scratch))  # converts the network
        rounds: dict[tuple[int, str], list[Measured]] = defaultdict(list)
        for _ in range(given.rounds):
            for keypoints in KEYPOINTS:
                for name, tree in trees.items():
                    rounds[keypoints, name].append(measured_build(tree, gallery, keypoints, Path(scratch)))
    print(table(HEADER, [_row(*case, of_case) for case, of_case in rounds.items()]))
    for keypoints in KEYPOINTS:
        before, now = (np.median([m.describing for m in rounds[keypoints, name]]) for name in trees)
        print(f"\n{keypoints} keypoints: {now / before:.2f} times as many pictures a second as {given.revision}.")
    print(f"\n{machine()}, {given.pictures} pictures of {dataset.name}")


def measured_build(paths: Sequence[Path], gallery: Path, keypoints: int, scratch: Path) -> Measured:
    """Build an index in an empty folder with the program of a checkout, the first of `paths`, and more packages."""
    tree = paths[0]
    count = sum(1 for _ in gallery.iterdir())
    with tempfile.TemporaryDirectory(dir=scratch) as index:
        variables = {
            "BOXFIND_GALLERY": str(gallery),
            "BOXFIND_INDEX": index,
            "BOXFIND_DATA": str(scratch / f"data {tree.name}"),
            "BOXFIND_KEYPOINTS": str(keypoints),
            "BOXFIND_BACKBONE": "efficientnet-lite0",
            "BOXFIND_OFFLINE": "1",
            "BOXFIND_TEXT": "0",
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
        }
        began, core = time.perf_counter(), _core_seconds()
        with (scratch / "build.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "cli.py", "build"], cwd=tree, env=os.environ | variables, stdout=log, stderr=log
            )
            ticks = _ticks(process, Path(index) / "build.json")
        if process.returncode:
            raise SystemExit((scratch / "build.log").read_text(errors="replace"))
        seconds = time.perf_counter() - began
    return Measured(rate(ticks), count / seconds, 1000 * (_core_seconds() - core) / count)


def rate(ticks: dict[str, list[tuple[float, int]]]) -> float:
    """Pictures per second through all stages, from (seconds, pictures done) of each.

    The first quarter of a stage does not count, so that processes that start do not.
    """
    of_one = 0.0
    for reached in ticks.values():
        last, total = reached[-1]
        first, before = next((seconds, done) for seconds, done in reached if done >= total / 4)
        of_one += (last - first) / max(total - before, 1)
    return 1 / of_one if of_one else 0.0


def _ticks(process: subprocess.Popen[bytes], state: Path) -> dict[str, list[tuple[float, int]]]:
    """How many pictures a running build had done, and when, in each of its STAGES."""
    ticks: dict[str, list[tuple[float, int]]] = defaultdict(list)
    while process.poll() is None:
        time.sleep(LOOK_EVERY)
        try:
            facts = json.loads(state.read_bytes())
        except (OSError, ValueError):
            continue
        if facts["stage"] in STAGES:
            ticks[facts["stage"]].append((facts["now"], facts["done"]))
    return ticks


def _row(keypoints: int, name: str, rounds: Sequence[Measured]) -> list[object]:
    describing, whole, core = np.median([(m.describing, m.whole, m.core) for m in rounds], axis=0)
    each = ", ".join(f"{m.describing:.1f}" for m in rounds)
    return [keypoints, name, f"{describing:.1f}", f"{whole:.1f}", f"{core:.1f}", each]


def _core_seconds() -> float:
    """Processor time of the child processes that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _first_pictures(gallery: Path, scratch: Path) -> Path:
    folder = scratch / "a few pictures"
    folder.mkdir(exist_ok=True)
    for picture in sorted(gallery.iterdir())[:8]:
        shutil.copy(picture, folder)
    return folder


@contextmanager
def _checkout(revision: str, scratch: Path) -> Iterator[Path]:
    """The files of a revision in a folder of their own."""
    folder = scratch / "other"
    git = ["git", "-C", str(PROJECT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(folder), revision], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True)


if __name__ == "__main__":
    main()
