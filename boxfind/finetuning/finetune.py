"""Train a projection head from labelled images and measure it on held-out objects."""

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
"""Maximum number of images used: all labelled ones, filled up with random unlabelled ones."""
LABELLED_WEIGHT, MINED_WEIGHT = 0.3, 1.0
ROUNDS = 2
"""Training rounds; each mines examples with the head of the previous round."""


@dataclass(frozen=True, slots=True)
class Finetuned:
    """Counts, and the quality on held-out objects before (unsupervised whitening) and after training."""

    pictures: int
    labelled: int
    split: Split
    before: Quality
    after: Quality


def finetune(
    table: Path, gallery: Path, out: Path, embedder: Embedder, pool: DecoderPool, workers: int, progress: Progress
) -> Finetuned:
    """Train a head on three quarters of the labels in a CSV, evaluate it on the rest, and write it to `out`.

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
    """Return the head, and the quality on the held-out labels with `start` and with the head."""
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
    """Format the result for the command line."""
    split, before, after = found.split, found.before, found.after
    lines = [
        f"Used {found.pictures} pictures, {found.labelled} of them labelled. Trained on {len(split.train)} labels.",
        f"Held out {len(split.held_out)} labels: {', '.join(printed(label) for label in split.held_out)}.",
        f"On the held-out labels: mAP {before.average_precision:.4f} -> {after.average_precision:.4f}, "
        f"P@10 {before.precision_at_10:.4f} -> {after.precision_at_10:.4f}.",
    ]
    if after.average_precision <= before.average_precision:
        lines.append("This head does not improve results on unseen objects; label more objects, or build without it.")
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
            raise BadTable(f"{table} names {printed(row.image)}, which is not a readable picture; remove its row.")
