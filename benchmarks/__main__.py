"""Measure quality, speed and scale on a labelled data set: python -m benchmarks NAME DATASET [--index DIR].

NAME is a module of this package; `all` runs one after the other, each in a process of its own, with fewer cases and
smaller sizes unless --full is given. Results are printed and written to RESULTS.md, those with less to SHORT_RUN.md.
"""

import os
import sys
import tempfile
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.results import write_short_run
from benchmarks.run_all import FULL_LIMIT, LIMIT, run_all
from boxfind.evaluation.dataset import Dataset
from boxfind.evaluation.dataset_formats import read_dataset
from boxfind.settings import Settings
from retrieval.errors import BoxfindError
from retrieval.networks.backbones import BUNDLED
from retrieval.networks.runtimes import RUNTIMES, choose_runtime

NAMES = (
    "written_text",  # first, so that the next ones find the text of the index
    "quality",
    "calibration",
    "side_by_side",
    "text_search",
    "catalogue",
    "small_objects",
    "videos",
    "documents",
    "updates",
    "waves",
    "page",
    "page_memory",
    "startup",
    "build_speed",
    "stages",
    "sides",
    "busy_build",
    "executors",
    "load",
    "attacks",
    "stores",
    "scale",
    "growth",
)
VECTORS, FEWER_VECTORS = 20_000_000, 1_000_000
"""Vectors of the largest synthetic gallery, and those of a short run."""


def main(arguments: Sequence[str] | None = None) -> None:
    given = _parsed(arguments)
    try:
        dataset = read_dataset(given.dataset.resolve())
    except BoxfindError as problem:
        sys.exit(str(problem))
    with tempfile.TemporaryDirectory() as scratch:
        given.index = (given.index or Path(scratch) / "index").resolve()
        given.data = (given.data or Path(scratch) / "data").resolve()
        if given.name != "all":
            _measure(given, dataset, Path(scratch))
        elif run_all(_commands(given), LIMIT if given.short else FULL_LIMIT):
            sys.exit(1)


def _parsed(arguments: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser("python -m benchmarks", description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=["all", *NAMES])
    parser.add_argument("dataset", type=Path, help="folder of a labelled data set (docs/evaluation.md)")
    parser.add_argument(
        "--index", type=Path, help="index of its gallery, built if missing; default: a temporary folder"
    )
    parser.add_argument("--data", type=Path, help="folder for converted networks; default: a temporary folder")
    parser.add_argument("--pictures", type=int, default=300, help="pictures that the measured builds read")
    parser.add_argument("--vectors", type=int, help="vectors of the largest synthetic gallery")
    parser.add_argument("--runtime", default="auto", help="auto, or one of retrieval/networks/runtimes.py")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--short", action="store_true", help="leave out what takes longest, as `all` does")
    length.add_argument("--full", action="store_true", help="with `all`: leave nothing out; takes hours")
    given = parser.parse_args(arguments)
    given.short = given.short or (given.name == "all" and not given.full)
    given.vectors = given.vectors or (FEWER_VECTORS if given.short else VECTORS)
    return given


def _measure(given: Namespace, dataset: Dataset, scratch: Path) -> None:
    variables = {
        "BOXFIND_GALLERY": str(dataset.gallery),
        "BOXFIND_INDEX": str(given.index),
        "BOXFIND_DATA": str(given.data),
        "BOXFIND_BACKBONE": BUNDLED,  # also where the weights of ResNet50 are on disk
        "BOXFIND_RUNTIME": choose_runtime(given.runtime)[0].name,
        "BOXFIND_OFFLINE": "1",
        "BOXFIND_TEXT": "0",  # reading goes on after a build, beside what is measured next
    }
    os.environ.update(variables)  # also for the processes that a benchmark starts
    bench = Bench(dataset, Settings.load(), scratch, given.pictures, given.vectors, given.short)
    if given.short:
        write_short_run()
    import_module(f"benchmarks.{given.name}").measure(bench)


def _commands(given: Namespace) -> dict[str, list[str]]:
    """The command of each program; that for GPUs only on a machine that has one."""
    options = [f"--{name}={getattr(given, name)}" for name in ("index", "data", "pictures", "vectors", "runtime")]
    options += ["--short"] if given.short else []
    python = [sys.executable, "-m"]
    commands = {name: [*python, "benchmarks", name, str(given.dataset), *options] for name in NAMES}
    if RUNTIMES["torch-cuda"].precisions():
        commands["speed.gpu"] = [*python, "benchmarks.speed.gpu", str(given.dataset)]
    else:
        print("speed.gpu is left out: this machine has no NVIDIA GPU.", flush=True)
    return commands


if __name__ == "__main__":
    main()
