"""Compare catalogue groups with labelled objects: python -m benchmarks.quality.groups DATASET [INDEX]."""

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.results import keep, table
from boxfind.engine import Engine
from boxfind.evaluation.clustering_metrics import agreement
from boxfind.evaluation.dataset import Dataset
from boxfind.evaluation.dataset_formats import read_dataset
from boxfind.settings import Settings
from index.gallery import Gallery
from index.groups.groups import gallery_object_instances, group_gallery
from retrieval.clustering.object_instances import ObjectInstances
from retrieval.types import quiet

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
        rows = [_row(gallery, instances, dataset, likeness) for likeness in LIKENESSES]
    header = ["threshold", "groups", "pictures grouped", "purity", "NMI", "NMI of all", "seconds"]
    note = (
        f"{len(instances.images):,} object instances in {len(gallery.tables.ids):,} pictures, found in {seconds:.1f} s."
    )
    keep(f"Catalogue of {dataset.name}", f"{table(header, rows)}\n\n{note}")


def _row(gallery: Gallery, instances: ObjectInstances, dataset: Dataset, likeness: float) -> list[str]:
    began = time.perf_counter()
    grouped = group_gallery(gallery, instances, likeness)
    seconds = time.perf_counter() - began
    found = agreement(grouped, objects_of(dataset))
    shares = (f"{share:.3f}" for share in (found.purity, found.nmi, found.nmi_all))
    return [f"{likeness:.1f}", f"{found.groups}", f"{found.grouped:.1%}", *shares, f"{seconds:.1f}"]


def objects_of(dataset: Dataset) -> dict[str, str]:
    """Gallery image -> its object: that of the queries to which the image is relevant."""
    relevant = dataset.labels[dataset.main].relevant
    return {image: dataset.objects[query] for query, images in relevant.items() for image in images}


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
