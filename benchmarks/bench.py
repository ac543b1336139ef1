"""The data set, the index and the options that all benchmarks share."""

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from boxfind.engine import Engine
from boxfind.evaluation.dataset import BoxedQuery, Dataset
from boxfind.settings import Settings
from index.storage.folder_scan import find_pictures
from retrieval.types import quiet

READING = "Reading pictures"
"""The stage of a build that describes the pictures."""


@dataclass(frozen=True)
class Bench:
    """A labelled data set, settings with an index of its gallery, a temporary folder, and the sizes of measurements."""

    dataset: Dataset
    settings: Settings
    scratch: Path
    pictures: int
    """Number of pictures that the measured builds read."""
    vectors: int
    """Number of vectors of the largest synthetic gallery."""
    short: bool = False
    """Whether a program leaves out what takes longest."""

    @cached_property
    def engine(self) -> Engine:
        """An engine on the index, which is built first if it does not exist or if a build was stopped."""
        engine = Engine(self.settings)
        if not engine.generation():
            engine.builds.build(quiet)
        return engine

    def queries(self, count: int) -> list[BoxedQuery]:
        """Up to `count` evenly spaced queries."""
        queries = self.dataset.queries
        return [queries[i] for i in _spread(len(queries), count)]

    def galleries(self, count: int) -> list[Path]:
        """Copy evenly spaced pictures to `count` new gallery folders of equal size."""
        found = [picture.path for picture in find_pictures(self.dataset.gallery)[0]]
        folders = [self.scratch / f"gallery {n}" for n in range(count)]
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        for number, i in enumerate(_spread(len(found), self.pictures)):
            shutil.copy(found[i], folders[number % count] / f"{number:05d}{found[i].suffix}")
        return folders


def _spread(length: int, count: int) -> list[int]:
    """Up to `count` evenly spaced positions below `length`."""
    spread: list[int] = np.linspace(0, length - 1, min(count, length)).round().astype(int).tolist()
    return spread
