"""Calibrate similarities: the expected number of images without the object that score as high."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from retrieval.types import Confidence, Hit, Numbers, Vectors

SAMPLED_QUERIES = 400
SAMPLED_IMAGES = 1000
MIDDLE_QUANTILE, HIGH_QUANTILE = 0.5, 0.9
"""Where the distribution is fitted; low enough that true matches in the sample do not affect it."""
LIKELY, POSSIBLE = 0.05, 0.5
"""Expected number of images without the object below which a match is likely, and below which it is possible."""
MIN_IMAGES = 3
MEANINGS: dict[Confidence, str] = {
    "likely": "Pictures without the object rarely look this similar.",
    "possible": "Pictures without the object sometimes look this similar.",
    "unlikely": "Pictures without the object often look this similar.",
}
WORDS = "It matches the description better than most pictures. Text search is less reliable than search by box."
VERIFIED = "Matching details confirm the object; the outline shows where it is."
NO_MATCH = "No confident match; showing the nearest look-alikes."


@dataclass(frozen=True, slots=True)
class BackgroundScores:
    """Gumbel distribution of the best-region score of an image that does not contain the query object."""

    location: float
    scale: float

    def expected(self, similarity: float, images: int) -> float:
        """The expected number of images, out of `images` without the object, that score at least `similarity`."""
        reduced = min((self.location - similarity) / self.scale, 700.0)  # beyond that exp overflows
        return float(-images * np.expm1(-np.exp(reduced)))

    def confidence(self, similarity: float, images: int) -> Confidence:
        expected = self.expected(similarity, images)
        return "likely" if expected < LIKELY else "possible" if expected < POSSIBLE else "unlikely"


CAUTIOUS = BackgroundScores(0.6, 0.05)
"""For a gallery too small to fit: only very similar regions are likely matches."""


def fit_background_scores(vectors: Vectors, images: Numbers, seed: int = 0) -> BackgroundScores:
    """Fit to the gallery: sampled region vectors (N, D) query all images but their own. images (N,) is ascending."""
    starts = np.unique(images, return_index=True)[1]
    if len(starts) < MIN_IMAGES:
        return CAUTIOUS
    rng = np.random.default_rng(seed)
    queries = rng.permutation(len(vectors))[:SAMPLED_QUERIES]
    sample = np.sort(rng.permutation(len(starts))[:SAMPLED_IMAGES])
    ends = np.append(starts[1:], len(vectors))
    rows = np.concatenate([np.arange(starts[i], ends[i]) for i in sample])
    first = np.unique(images[rows], return_index=True)[1]
    best = np.maximum.reduceat(vectors[queries] @ vectors[rows].T, first, axis=1)  # (queries, images)
    elsewhere = images[queries][:, None] != images[rows][first][None, :]
    middle, high = np.quantile(best[elsewhere], [MIDDLE_QUANTILE, HIGH_QUANTILE])
    scale = float((high - middle) / (_gumbel_quantile(HIGH_QUANTILE) - _gumbel_quantile(MIDDLE_QUANTILE)))
    return BackgroundScores(float(middle) - scale * _gumbel_quantile(MIDDLE_QUANTILE), max(scale, 1e-3))


def meaning(hit: Hit) -> str:
    """Explain a hit's confidence in one sentence."""
    if hit.parts and hit.parts.keys() <= {"words", "look", "colour"}:
        return WORDS if hit.confidence == "possible" else "It matches the description no better than many pictures."
    return VERIFIED if hit.verified else MEANINGS[hit.confidence]


def no_match(hits: Iterable[Hit]) -> bool:
    """Whether every hit is unlikely."""
    return all(hit.confidence == "unlikely" for hit in hits)


def _gumbel_quantile(probability: float) -> float:
    """A quantile of the standard Gumbel distribution."""
    return float(-np.log(-np.log(probability)))
