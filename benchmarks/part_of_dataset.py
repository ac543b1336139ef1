"""Take some objects of a labelled data set with all their pictures, so that no relevant picture is missing."""

import shutil
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from boxfind.evaluation.dataset import Dataset, Labels
from index.storage.folder_scan import find_pictures


def part_of_dataset(dataset: Dataset, count: int, folder: Path) -> Dataset:
    """Copy `count` gallery pictures into a new folder, and return them with their queries. Deterministic.

    Takes objects in random order, each if all pictures that its queries need fit in, then other pictures.
    """
    labels = dataset.labels[dataset.main]
    needed: dict[str, set[str]] = defaultdict(set)
    for query, images in labels.relevant.items():
        needed[dataset.objects[query]] |= images
    files = {file.id: file.path for file in find_pictures(dataset.gallery)[0]}
    rng, chosen, objects = np.random.default_rng(0), set[str](), set[str]()
    for name in rng.permutation(sorted(needed)).tolist():
        if len(chosen | needed[name]) <= count:
            chosen |= needed[name]
            objects.add(name)
    others = rng.permutation(sorted(files.keys() - chosen)).tolist()
    chosen |= set(others[: max(count - len(chosen), 0)])
    for image in sorted(chosen & files.keys()):
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(files[image], folder / image)
    queries = [query for query in dataset.queries if dataset.objects[query.name] in objects]
    names = {query.name for query in queries}
    kept = Labels(*({name: images[name] for name in names & images.keys()} for images in _images(labels)))
    kept = kept if labels.wrong is not None else replace(kept, wrong=None)
    return replace(dataset, gallery=folder, queries=queries, labels={dataset.main: kept})


def _images(labels: Labels) -> tuple[dict[str, set[str]], ...]:
    return labels.relevant, labels.ignored, labels.wrong or {}
