"""Train a projection head from labelled images and measure it on held-out objects."""

from pathlib import Path

import numpy as np

from boxfind.evaluation.metrics import Quality, mean_quality, rate
from boxfind.finetuning.examples import labelled_examples, mined_examples
from boxfind.finetuning.features import RawRegions, describe_pictures
from boxfind.finetuning.labels import Labelled, read_labels, split_labels
from boxfind.finetuning.region_selection import ObjectRegions, choose_regions
from boxfind.finetuning.training import METRIC_LEARNING, train_mixing
from index.building.decoder_pool import DecoderPool
from index.storage.folder_scan import ScannedFile, find_pictures
from retrieval.descriptors.contrastive import refine_whitening
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.projection_head import KIND, HeadFacts, write_head
from retrieval.descriptors.whitening import SAMPLE, Whitening, learn_whitening
from retrieval.errors import BadTable
from retrieval.printable_names import shown
from retrieval.types import Progress, Vectors, unit

MOST_PICTURES = 4_000
"""Maximum number of images used: all labelled ones, filled up with random unlabelled ones."""
LABELLED_WEIGHT, MINED_WEIGHT = 0.3, 1.0
ROUNDS = 2
"""Training rounds; each mines examples with the head of the previous round."""
BLOCK = 128
"""Queries that are measured at a time."""


def finetune(
    table: Path, gallery: Path, out: Path, embedder: Embedder, pool: DecoderPool, workers: int, progress: Progress
) -> str:
    """Train a head on three quarters of the labels in a CSV, evaluate it on the rest, and write it to `out`.

    Returns a report: the number of pictures and labels, and the quality on the held-out labels before and after.
    Raises BadTable, BadHead, GalleryProblem, RuntimeMissing.
    """
    METRIC_LEARNING.check("Training a head")
    pictures, _ = find_pictures(gallery)
    labelled = read_labels(table, {picture.id for picture in pictures})
    raw = describe_pictures(_choose_pictures(pictures, labelled), embedder, pool, workers, progress)
    readable = set(raw.names)
    for row in labelled:
        if row.image not in readable:
            raise BadTable(f"{table} names {shown(row.image)}, which is not a readable picture; remove its row.")
    train, held_out = split_labels([row.label for row in labelled])
    progress("Analysing your gallery", 0, 0)
    vectors, images = raw.vectors[:SAMPLE].astype(np.float32), raw.images[:SAMPLE]
    start = learn_whitening(vectors, images, embedder.recipe.dimensions)
    start = refine_whitening(start, vectors, images, raw.boxes, raw.read_keypoints)
    head, before, after = learn_and_measure(raw, labelled, (train, held_out), start, progress)
    write_head(out, head, HeadFacts.of(embedder.recipe))
    lines = [
        f"Used {len(raw.names)} pictures, {len({row.image for row in labelled})} of them labelled. "
        f"Trained on {len(train)} labels.",
        f"Held out {len(held_out)} labels: {', '.join(shown(label) for label in held_out)}.",
        f"On the held-out labels: mAP {before.average_precision:.4f} -> {after.average_precision:.4f}, "
        f"P@10 {before.precision_at_10:.4f} -> {after.precision_at_10:.4f}.",
    ]
    if after.average_precision <= before.average_precision:
        lines.append("This head does not improve results on unseen objects; label more objects, or build without it.")
    return "\n".join(lines)


def learn_and_measure(
    raw: RawRegions, labelled: list[Labelled], split: tuple[list[str], list[str]], start: Whitening, progress: Progress
) -> tuple[Whitening, Quality, Quality]:
    """Train on one part of a split and measure on the other. Returns the head, and the quality before and after."""
    projected = raw.projected(start)
    descriptors = unit(projected)
    train, held_out = (
        choose_regions([row for row in labelled if row.label in labels], raw, descriptors) for labels in split
    )
    before = measure(held_out, raw, descriptors)
    mixing = np.eye(projected.shape[1], dtype=np.float32)
    for _ in range(ROUNDS):
        examples = [
            (LABELLED_WEIGHT, labelled_examples(train, raw, descriptors)),
            (MINED_WEIGHT, mined_examples(raw, descriptors, progress)),
        ]
        mixing = mixing @ train_mixing(projected @ mixing, raw.images, examples, progress)
        descriptors = unit(projected @ mixing)
    head = Whitening(KIND, start.mean, start.projection @ mixing)
    return head, before, measure(held_out, raw, descriptors)


def measure(chosen: ObjectRegions, raw: RawRegions, descriptors: Vectors) -> Quality:
    """Use each region that shows an object as a query; images with the same label are relevant.

    Images are ranked by their best region, like the ranking `fast`; the query image is ignored. descriptors (N, D)
    are of all regions in `raw`.
    """
    names = np.array(raw.names, dtype=object)
    qualities = []
    for start in range(0, len(chosen.rows), BLOCK):
        part = slice(start, start + BLOCK)
        scores = np.maximum.reduceat(descriptors[chosen.rows[part]] @ descriptors.T, raw.starts, axis=1)
        rankings = names[np.argsort(-scores, axis=1, kind="stable")]
        for image, object_, ranking in zip(chosen.images[part], chosen.objects[part], rankings, strict=True):
            relevant = set(names[chosen.images[chosen.objects == object_]]) - {names[image]}
            qualities.append(rate(list(ranking), relevant, {names[image]}))
    return mean_quality(qualities)


def _choose_pictures(pictures: list[ScannedFile], labelled: list[Labelled]) -> list[ScannedFile]:
    """Choose all labelled pictures, and random others."""
    named = {row.image for row in labelled}
    others = [picture for picture in pictures if picture.id not in named]
    drawn = np.random.default_rng(0).permutation(len(others))[: max(MOST_PICTURES - len(named), 0)]
    kept = named | {others[place].id for place in drawn}
    return [picture for picture in pictures if picture.id in kept]
