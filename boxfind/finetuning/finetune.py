"""Labelled pictures become a head, and a figure of what it is worth on objects that it never saw."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from boxfind.evaluation.metrics import Quality
from boxfind.finetuning.examples import labelled_examples, mined_examples
from boxfind.finetuning.features import RawRegions, look_at
from boxfind.finetuning.held_out import measure
from boxfind.finetuning.labels import Labelled, Split, read_labels, split_labels
from boxfind.finetuning.region_selection import choose_regions
from boxfind.finetuning.training import METRIC_LEARNING, train_mixing
from index.building.decoder_pool import DecoderPool
from index.storage.folder_scan import Found, find_pictures
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.projection_head import KIND, HeadFacts, write_head
from retrieval.descriptors.whitening import SAMPLE, Whitening, learn_whitening
from retrieval.errors import BadTable
from retrieval.printable_names import shown as printed
from retrieval.types import Progress, unit

MOST_PICTURES = 4_000
"""That are looked at: all with labels, and of the others as many as there is room for, drawn by lot."""
LABELLED_WEIGHT, MINED_WEIGHT = 0.3, 1.0
ROUNDS = 2
"""What comes again is looked for anew with what was learned."""


@dataclass(frozen=True, slots=True)
class Finetuned:
    """What was done, and the quality on the held-out objects with the whitening learned without labels and after."""

    pictures: int
    labelled: int
    split: Split
    before: Quality
    after: Quality


def finetune(
    table: Path, gallery: Path, out: Path, embedder: Embedder, pool: DecoderPool, workers: int, progress: Progress
) -> Finetuned:
    """Trains a head on three quarters of the labels of a CSV, measures it on the others, and writes it.

    Raises BadTable, BadHead, GalleryProblem, RuntimeMissing.
    """
    METRIC_LEARNING.check("Training a head")
    pictures, _ = find_pictures(gallery)
    labelled = read_labels(table, {picture.id for picture in pictures})
    raw = look_at(_looked_at(pictures, labelled), embedder, pool, workers, progress)
    _refuse_unreadable(labelled, raw, table)
    split = split_labels([row.label for row in labelled])
    progress("Analysing your gallery", 0, 0)
    few = slice(SAMPLE)
    start = learn_whitening(raw.vectors[few].astype(np.float32), raw.images[few], embedder.recipe.dimensions)
    head, before, after = learn_and_measure(raw, labelled, split, start, progress)
    write_head(out, head, HeadFacts.of(embedder.recipe))
    return Finetuned(len(raw.names), len({row.image for row in labelled}), split, before, after)


def learn_and_measure(
    raw: RawRegions, labelled: list[Labelled], split: Split, start: Whitening, progress: Progress
) -> tuple[Whitening, Quality, Quality]:
    """The head, and the quality on the held-out labels with `start` and with the head."""
    projected = raw.projected(start)
    descriptors = unit(projected)
    train, held_out = (
        choose_regions([row for row in labelled if row.label in labels], raw, descriptors)
        for labels in (split.train, split.held_out)
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


def as_text(found: Finetuned) -> str:
    """What the command prints."""
    split, before, after = found.split, found.before, found.after
    lines = [
        f"Of {found.pictures} pictures {found.labelled} have a label. Learned from {len(split.train)} labels.",
        f"Held out, {len(split.held_out)} labels: {', '.join(printed(label) for label in split.held_out)}.",
        f"mAP on these {before.average_precision:.4f} -> {after.average_precision:.4f}, "
        f"P@10 {before.precision_at_10:.4f} -> {after.precision_at_10:.4f}.",
    ]
    if after.average_precision <= before.average_precision:
        lines.append("This head is no gain for objects it never saw; label more objects, or build without it.")
    return "\n".join(lines)


def _looked_at(pictures: list[Found], labelled: list[Labelled]) -> list[Found]:
    named = {row.image for row in labelled}
    others = [picture for picture in pictures if picture.id not in named]
    drawn = np.random.default_rng(0).permutation(len(others))[: max(MOST_PICTURES - len(named), 0)]
    kept = named | {others[place].id for place in drawn}
    return [picture for picture in pictures if picture.id in kept]


def _refuse_unreadable(labelled: list[Labelled], raw: RawRegions, table: Path) -> None:
    readable = set(raw.names)
    for row in labelled:
        if row.image not in readable:
            raise BadTable(f"{table} names {printed(row.image)}, which cannot be read as a picture; leave it out.")
