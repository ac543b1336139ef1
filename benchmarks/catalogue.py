"""Agreement of the groups of the catalogue with labelled objects."""

import time

from benchmarks.bench import Bench
from benchmarks.clustering_metrics import agreement
from benchmarks.results import record, table
from index.groups.groups import gallery_object_instances, group_gallery

LIKENESSES = (0.3, 0.5, 0.7)
HEADER = ["threshold", "groups", "pictures grouped", "purity", "NMI", "NMI of all", "seconds"]


def measure(bench: Bench) -> None:
    dataset, gallery = bench.dataset, bench.engine.gallery()
    relevant = dataset.labels[dataset.main].relevant
    objects = {image: dataset.objects[query] for query, images in relevant.items() for image in images}
    began = time.perf_counter()
    instances = gallery_object_instances(gallery)
    seconds = time.perf_counter() - began
    rows = []
    for likeness in LIKENESSES:
        began = time.perf_counter()
        grouped = group_gallery(gallery, instances, likeness)
        took = time.perf_counter() - began
        found = agreement(grouped, objects)
        shares = [f"{share:.3f}" for share in (found.purity, found.nmi, found.nmi_all)]
        rows.append([likeness, found.groups, f"{found.grouped:.1%}", *shares, f"{took:.1f}"])
    counts = [f"{len(instances.images):,}", f"{gallery.image_count:,}", f"{seconds:.1f}"]
    totals = table(["object instances", "pictures", "seconds to find them"], [counts])
    record(f"Catalogue of {dataset.name}", table(HEADER, rows), totals)
