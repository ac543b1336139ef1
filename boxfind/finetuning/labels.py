"""Read object labels of images from a CSV, and split them into training and held-out labels."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from boxfind.evaluation.dataset import SIDES, read_rows
from retrieval.errors import BadTable
from retrieval.printable_names import shown
from retrieval.types import Box

FEWEST_LABELS = 8
FEWEST_PICTURES = 2
HELD_OUT = 0.25
"""Share of the labels that is held out for evaluation."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A gallery image that shows an object; box None if the position is unknown."""

    image: str
    label: str
    box: Box | None


def read_labels(table: Path, gallery: Collection[str]) -> list[Labelled]:
    """Read a CSV image,label[,x,y,w,h]; images must be gallery ids. Raises BadTable, with the line."""
    rows, seen = [], set[tuple[str, str]]()
    for line, row in read_rows(table, ("image", "label"), SIDES):
        if not row["image"] or not row["label"]:
            raise BadTable(f"{table}, line {line}: image and label must not be empty.")
        if row["image"] not in gallery:
            raise BadTable(f"{table}, line {line}: {shown(row['image'])} is not in the gallery.")
        if (row["image"], row["label"]) in seen:
            raise BadTable(f"{table}, line {line}: {shown(row['image'])} already has this label; keep one row.")
        seen.add((row["image"], row["label"]))
        rows.append(Labelled(row["image"], row["label"], _box(row, table, line)))
    _refuse_too_few(rows, table)
    return rows


def split_labels(labels: Collection[str], seed: int = 0) -> tuple[list[str], list[str]]:
    """Split labels into those for training and those held out; the split depends only on their names and the seed."""
    names = sorted(set(labels))
    order = np.random.default_rng(seed).permutation(len(names))
    count = max(FEWEST_PICTURES, round(HELD_OUT * len(names)))
    held_out = sorted(names[place] for place in order[:count])
    return [name for name in names if name not in held_out], held_out


def _refuse_too_few(rows: list[Labelled], table: Path) -> None:
    pictures = Counter(row.label for row in rows)
    if len(pictures) < FEWEST_LABELS:
        raise BadTable(
            f"{table} has {len(pictures)} {'label' if len(pictures) == 1 else 'labels'}, too few to train and "
            f"evaluate; label at least {FEWEST_LABELS} objects."
        )
    rare = [label for label, count in pictures.items() if count < FEWEST_PICTURES]
    if rare:
        raise BadTable(
            f"{table} has only one picture of {shown(rare[0])}; label at least {FEWEST_PICTURES} of each object."
        )


def _box(row: dict[str, str], table: Path, line: int) -> Box | None:
    if not any(row[side] for side in SIDES):
        return None
    try:
        box = Box.from_xywh(*(round(float(row[side])) for side in SIDES))
    except (ValueError, OverflowError):
        raise BadTable(f"{table}, line {line}: x, y, w and h must be numbers, or all be empty.") from None
    if box.width <= 0 or box.height <= 0:
        raise BadTable(f"{table}, line {line}: w and h must be greater than 0.")
    return box
