"""Train a linear head on examples with the supervised contrastive loss."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from boxfind.finetuning.examples import NONE, Examples
from retrieval.optional_packages import OptionalPackage
from retrieval.types import Numbers, Progress, Rows, Vectors

METRIC_LEARNING = OptionalPackage("pytorch-metric-learning", "pytorch_metric_learning", "finetune")
TEMPERATURE = 0.07
LEARNING_RATE = 5e-4
STEPS = 80
BATCH = 250
"""Anchors per step and kind of example."""
POSITIVES = 8
"""Number of positive columns sampled per step."""

Table = NDArray[np.bool_]


def train_mixing(
    projected: Vectors, images: Numbers, examples: Sequence[tuple[float, Examples]], progress: Progress
) -> Vectors:
    """Train a linear map (D, D) on top of whitened descriptors.

    projected (N, D) are the whitened regions before normalisation, images (N,) their image numbers; `examples` pairs
    each kind of example with its loss weight. The map starts as the identity and is trained with the supervised
    contrastive loss (Khosla et al., NeurIPS 2020); few small steps keep it close to the identity.
    """
    import torch
    from pytorch_metric_learning.losses import SupConLoss

    rng = np.random.default_rng(0)
    loss = SupConLoss(temperature=TEMPERATURE)
    inputs = torch.from_numpy(projected)
    mixing = torch.eye(inputs.shape[1], requires_grad=True)
    optimiser = torch.optim.Adam([mixing], lr=LEARNING_RATE)

    def embedded(wanted: Rows) -> torch.Tensor:
        return torch.nn.functional.normalize(inputs[torch.from_numpy(wanted)] @ mixing)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # faster for small matrices, and up to ten times faster on a busy machine
    try:
        for step in range(STEPS):
            progress("Training the head", step, STEPS)
            optimiser.param_groups[0]["lr"] = LEARNING_RATE * (1 + math.cos(math.pi * step / STEPS)) / 2
            optimiser.zero_grad()
            for weight, kind in examples:
                anchors, others, same, different = _batch(kind, images, rng)
                if not same.any():
                    continue  # a small gallery may have no recurring objects
                pairs = tuple(torch.from_numpy(places) for places in (*np.nonzero(same), *np.nonzero(different)))
                unused = (torch.zeros(len(anchors)), torch.zeros(len(others)))  # the pairs replace labels
                part = loss(embedded(anchors), unused[0], pairs, embedded(others), unused[1])
                (weight * part).backward()
            optimiser.step()
    finally:
        torch.set_num_threads(threads)
    progress("Training the head", STEPS, STEPS)
    return np.asarray(mixing.detach().numpy())


def _batch(kind: Examples, images: Numbers, rng: np.random.Generator) -> tuple[Rows, Rows, Table, Table]:
    """Sample anchors (B,) and their positives (O,), with masks (B, O) of the positive and the negative pairs."""
    drawn = rng.permutation(len(kind.anchors))[:BATCH]
    places = rng.permutation(kind.positives.shape[1])[:POSITIVES]
    positives, doubtful = kind.positives[drawn][:, places], kind.doubtful[drawn]
    others = np.unique(positives[positives != NONE])
    same = np.zeros((len(drawn), len(others)), dtype=bool)
    anchor, place = np.nonzero(positives != NONE)
    same[anchor, np.searchsorted(others, positives[anchor, place])] = True
    unsure = np.zeros((len(drawn), images.max() + 2), dtype=bool)  # the last column is for NONE
    unsure[np.arange(len(drawn))[:, None], doubtful] = True
    return kind.anchors[drawn], others, same, ~unsure[:, images[others]]
