"""Refine a whitening by contrastive learning on verified pairs of gallery regions, without labels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.descriptors.verified_pairs import NONE, ReadKeypoints, VerifiedPairs, find_verified_pairs
from retrieval.descriptors.whitening import Whitening
from retrieval.types import Box, Numbers, Rows, Vectors

KIND = "contrastive"
"""The `Whitening.kind` of a refined whitening."""
MIN_ANCHORS = 50
"""With fewer anchors that have partners, the whitening is not refined."""
STEPS = 80
BATCH, BATCH_PARTNERS = 250, 8
"""Groups of an anchor and its partners per step, and columns of partners that are used."""
TEMPERATURE = 0.07
LEARNING_RATE = 1e-3
DECAY, SQUARE_DECAY = 0.9, 0.999
"""Of the running means of the gradient and of its square, as in Adam (Kingma & Ba, ICLR 2015)."""
NEVER = -1e9
"""A logit without any weight."""

Table = NDArray[np.bool_]


def refine_whitening(
    whitening: Whitening, vectors: Vectors, images: Numbers, boxes: Sequence[Box], read: ReadKeypoints
) -> Whitening:
    """Refine mined-pair whitening with what keypoints confirm; return it unchanged if they confirm too little.

    vectors (N, C) are regions before whitening; images, boxes and `read` as in `find_verified_pairs`. The result is a
    whitening like any other: one projection, which contains the learned map. Deterministic.
    """
    if whitening.kind != "mined":
        return whitening
    descriptors = whitening.apply(vectors)
    pairs = find_verified_pairs(descriptors, images, boxes, read)
    if len(pairs.anchors) < MIN_ANCHORS:
        return whitening
    return Whitening(KIND, whitening.mean, whitening.projection @ learn_mixing(descriptors, images, pairs))


def learn_mixing(descriptors: Vectors, images: Numbers, pairs: VerifiedPairs) -> Vectors:
    """Learn a linear map (D, D) that brings anchors nearer to their partners than to other regions.

    The supervised contrastive loss (Khosla et al., NeurIPS 2020), minimised by Adam. The map starts as the identity,
    and a few small steps keep it near. The partners of other anchors are the negatives, except in images near the
    anchor, which may show the same object.
    """
    rng = np.random.default_rng(0)
    mixing = np.eye(descriptors.shape[1], dtype=np.float32)
    mean, square = np.zeros_like(mixing), np.zeros_like(mixing)
    for step in range(STEPS):
        anchors, others, same, different = _batch(pairs, images, rng)
        if not len(others):
            continue  # of few pairs, none was drawn
        slope = loss_gradient(descriptors[anchors], descriptors[others], same, different, mixing)[1]
        mean = DECAY * mean + (1 - DECAY) * slope
        square = SQUARE_DECAY * square + (1 - SQUARE_DECAY) * slope**2
        rate = LEARNING_RATE * (1 + np.cos(np.pi * step / STEPS)) / 2
        size = np.sqrt(square / (1 - SQUARE_DECAY ** (step + 1))) + 1e-8
        mixing = np.asarray(mixing - rate * mean / (1 - DECAY ** (step + 1)) / size, np.float32)
    return mixing


def loss_gradient(
    anchors: Vectors, others: Vectors, same: Table, different: Table, mixing: Vectors
) -> tuple[float, Vectors]:
    """The mean loss and its gradient (D, D) by the map. anchors (A, D), others (O, D); both tables are (A, O)."""
    mixed, mixed_others = anchors @ mixing, others @ mixing
    length = np.linalg.norm(mixed, axis=1, keepdims=True)
    length_others = np.linalg.norm(mixed_others, axis=1, keepdims=True)
    here, there = mixed / length, mixed_others / length_others  # (A, D), (O, D), unit length
    logits = np.where(same | different, here @ there.T / TEMPERATURE, NEVER)
    logits = logits - logits.max(axis=1, keepdims=True)
    weights = np.exp(logits)
    total = weights.sum(axis=1, keepdims=True)
    wanted = same / np.maximum(same.sum(axis=1, keepdims=True), 1)  # rows sum to 1, or to 0 without partners
    used = same.any(axis=1, keepdims=True)
    loss = float((wanted * (np.log(total) - logits)).sum() / len(anchors))
    pull = np.where(used, weights / total - wanted, 0).astype(np.float32) / (TEMPERATURE * len(anchors))  # (A, O)
    by_anchors = anchors.T @ _through_unit(pull @ there, here, length)
    by_others = others.T @ _through_unit(pull.T @ here, there, length_others)
    return loss, by_anchors + by_others


def _through_unit(slopes: Vectors, units: Vectors, lengths: Vectors) -> Vectors:
    """Gradients (M, D) by vectors before they were scaled to unit length, from those after it. lengths (M, 1)."""
    return np.asarray((slopes - units * (units * slopes).sum(axis=1, keepdims=True)) / lengths)


def _batch(pairs: VerifiedPairs, images: Numbers, rng: np.random.Generator) -> tuple[Rows, Rows, Table, Table]:
    """Rows of anchors (A,) and of partners (O,), and which pairs (A, O) are the same or different.

    The anchor of a group is any of its members: all of them show one object.
    """
    drawn = rng.permutation(len(pairs.anchors))[:BATCH]
    every = np.arange(len(drawn))
    groups = np.column_stack([pairs.anchors, pairs.partners])[drawn]
    chosen = np.where(groups != NONE, rng.random(groups.shape), -1).argmax(axis=1)
    anchors = groups[every, chosen]
    groups[every, chosen] = NONE
    partners = groups[:, rng.permutation(groups.shape[1])[:BATCH_PARTNERS]]
    others = np.unique(partners[partners != NONE])
    group, column = np.nonzero(partners != NONE)
    same = np.zeros((len(drawn), len(others)), np.bool_)
    same[group, np.searchsorted(others, partners[group, column])] = True
    near = np.zeros((len(drawn), images[-1] + 1), np.bool_)
    near[every[:, None], pairs.near[drawn]] = True
    return anchors, others, same, ~near[:, images[others]]
