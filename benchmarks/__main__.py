"""Measure quality, speed and scale on a labelled data set: python -m benchmarks NAME DATASET [--index DIR].

NAME is a module of this package; `all` runs one after the other. Results are printed and written to RESULTS.md.
"""

import os
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from benchmarks.bench import Bench
from boxfind.evaluation.dataset_formats import read_dataset
from boxfind.settings import Settings
from retrieval.networks.runtimes import choose_runtime

NAMES = (
    "quality",
    "calibration",
    "text_search",
    "written_text",
    "catalogue",
    "small_objects",
    "videos",
    "documents",
    "updates",
    "page",
    "page_memory",
    "startup",
    "build_speed",
    "busy_build",
    "executors",
    "load",
    "attacks",
    "stores",
    "scale",
)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = ArgumentParser("python -m benchmarks", description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=["all", *NAMES])
    parser.add_argument("dataset", type=Path, help="folder of a labelled data set (docs/evaluation.md)")
    parser.add_argument(
        "--index", type=Path, help="index of its gallery, built if missing; default: a temporary folder"
    )
    parser.add_argument("--pictures", type=int, default=300, help="pictures that the measured builds read")
    parser.add_argument("--vectors", type=int, default=20_000_000, help="vectors of the largest synthetic gallery")
    parser.add_argument("--runtime", default="auto", help="auto, or one of retrieval/networks/runtimes.py")
    given = parser.parse_args(arguments)
    dataset = read_dataset(given.dataset.resolve())
    with tempfile.TemporaryDirectory() as scratch:
        variables = {
            "BOXFIND_GALLERY": str(dataset.gallery),
            "BOXFIND_INDEX": str((given.index or Path(scratch) / "index").resolve()),
            "BOXFIND_DATA": str(Path(scratch) / "data"),
            "BOXFIND_RUNTIME": choose_runtime(given.runtime)[0].name,
            "BOXFIND_OFFLINE": "1",
            "BOXFIND_TEXT": "0",  # reading goes on after a build, beside what is measured next
        }
        os.environ.update(variables)  # also for the processes that a benchmark starts
        bench = Bench(dataset, Settings.load(), Path(scratch), given.pictures, given.vectors)
        for name in NAMES if given.name == "all" else [given.name]:
            import_module(f"benchmarks.{name}").measure(bench)


if __name__ == "__main__":
    main()
