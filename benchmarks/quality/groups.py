"""Compare catalogue groups with labelled objects: python -m benchmarks.quality.groups DATASET [INDEX]."""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import HDBSCAN

from benchmarks.quality.clustering_metrics import agreement
from benchmarks.results import keep, table
from boxfind.engine import Engine
from boxfind.evaluation.dataset import Dataset
from boxfind.evaluation.dataset_formats import read_dataset
from boxfind.settings import Settings
from index.gallery import Gallery
from index.groups.groups import gallery_object_instances, group_gallery
from retrieval.clustering.grouping import FEWEST, GROUPINGS, Grouping, shared_neighbours
from retrieval.clustering.object_instances import ObjectInstances
from retrieval.types import Numbers, Vectors, quiet

LIKENESSES = (0.3, 0.5, 0.7)


def main(folder: Path, index: Path | None = None) -> None:
    """`index`: an existing index of the gallery; by default one is built."""
    dataset = read_dataset(folder)
    with tempfile.TemporaryDirectory() as scratch:
        engine = Engine(Settings.load(gallery=dataset.gallery, index=index or Path(scratch) / "index"))
        if index is None:
            engine.build(quiet)
        gallery = engine.gallery()
        began = time.perf_counter()
        instances = gallery_object_instances(gallery)
        seconds = time.perf_counter() - began
        rows = [
            _row(gallery, instances, dataset, name, likeness)
            for name, likeness in [
                *((name, likeness) for name in ("linkage", "k-means") for likeness in LIKENESSES),
                ("hdbscan", 0.0),
                ("components", 0.5),
            ]
        ]
    header = ["grouping", "threshold", "groups", "pictures grouped", "purity", "NMI", "NMI of all", "seconds"]
    note = (
        f"{len(instances.images):,} object instances in {len(gallery.tables.ids):,} pictures, found in {seconds:.1f} s."
    )
    keep(f"Catalogue of {dataset.name}", f"{table(header, rows)}\n\n{note}")


def hdbscan(instances: ObjectInstances, vectors: Vectors, likeness: float) -> Numbers:
    """HDBSCAN of the descriptors, in quadratic time. Noise points become groups of one."""
    found = HDBSCAN(min_cluster_size=FEWEST, min_samples=FEWEST, copy=True).fit_predict(vectors)
    return np.where(found < 0, len(found) + np.arange(len(found)), found)


def components(instances: ObjectInstances, vectors: Vectors, likeness: float) -> Numbers:
    """Connected components: a single pair with similarity of at least `likeness` joins two groups."""
    alike = shared_neighbours(instances)
    alike.data[alike.data < likeness] = 0
    alike.eliminate_zeros()
    return np.asarray(connected_components(alike, directed=False)[1], np.int64)


def _row(gallery: Gallery, instances: ObjectInstances, dataset: Dataset, name: str, likeness: float) -> list[str]:
    began = time.perf_counter()
    grouped = group_gallery(gallery, instances, likeness, name)
    seconds = time.perf_counter() - began
    found = agreement(grouped, objects_of(dataset))
    shares = (f"{share:.3f}" for share in (found.purity, found.nmi, found.nmi_all))
    alike = f"{likeness:.1f}" if likeness else "-"
    return [name, alike, f"{found.groups}", f"{found.grouped:.1%}", *shares, f"{seconds:.1f}"]


def objects_of(dataset: Dataset) -> dict[str, str]:
    """Gallery image -> its object: that of the queries to which the image is relevant."""
    relevant = dataset.labels[dataset.main].relevant
    return {image: dataset.objects[query] for query, images in relevant.items() for image in images}


MORE: dict[str, Grouping] = {"hdbscan": hdbscan, "components": components}
"""Groupings that were evaluated and rejected."""

if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    GROUPINGS.update(MORE)
    main(*map(Path, sys.argv[1:]))
