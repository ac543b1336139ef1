"""What a similarity is worth: how many pictures without the object would score as much."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from retrieval.types import Confidence, Hit, Numbers, Vectors

QUERIES = 400
IMAGES = 1000
MIDDLE, HIGH = 0.5, 0.9
"""Quantiles that the null distribution is fitted at: low enough that true matches in the sample do not move them."""
LIKELY, POSSIBLE = 0.05, 0.5
FEWEST_IMAGES = 3
MEANINGS: dict[Confidence, str] = {
    "likely": "Pictures without the object hardly ever look this similar.",
    "possible": "Now and then a picture without the object looks this similar.",
    "unlikely": "Pictures without the object often look this similar.",
}
WORDS = "It suits the words better than most pictures do. Words err more often than boxes: the order is what counts."
VERIFIED = "Small details agree: the outline is where the object itself lies."
NO_MATCH = "There may be no match in this gallery: pictures without the object look as similar as these."


@dataclass(frozen=True, slots=True)
class BackgroundScores:
    """The Gumbel distribution of what an image scores, by its best region, that does not hold what is asked for."""

    location: float
    scale: float

    def expected(self, similarity: float, images: int) -> float:
        """How many of so many images would score at least this much if none of them held it."""
        reduced = min((self.location - similarity) / self.scale, 700.0)  # beyond that exp overflows
        return float(-images * np.expm1(-np.exp(reduced)))

    def confidence(self, similarity: float, images: int) -> Confidence:
        expected = self.expected(similarity, images)
        return "likely" if expected < LIKELY else "possible" if expected < POSSIBLE else "unlikely"


CAUTIOUS = BackgroundScores(0.6, 0.05)
"""For a gallery too small to tell: only what is very similar counts."""


def fit_background_scores(vectors: Vectors, images: Numbers, seed: int = 0) -> BackgroundScores:
    """From the gallery itself: region vectors (N, D), taken as queries, against images (N,) that are not their own."""
    starts = np.unique(images, return_index=True)[1]
    if len(starts) < FEWEST_IMAGES:
        return CAUTIOUS
    rng = np.random.default_rng(seed)
    asking = rng.permutation(len(vectors))[:QUERIES]
    asked = np.sort(rng.permutation(len(starts))[:IMAGES])
    ends = np.append(starts[1:], len(vectors))
    rows = np.concatenate([np.arange(starts[i], ends[i]) for i in asked])
    first = np.unique(images[rows], return_index=True)[1]
    best = np.maximum.reduceat(vectors[asking] @ vectors[rows].T, first, axis=1)  # (queries, images)
    elsewhere = images[asking][:, None] != images[rows][first][None, :]
    middle, high = np.quantile(best[elsewhere], [MIDDLE, HIGH])
    scale = float((high - middle) / (_reduced(HIGH) - _reduced(MIDDLE)))
    return BackgroundScores(float(middle) - scale * _reduced(MIDDLE), max(scale, 1e-3))


def meaning(hit: Hit) -> str:
    """What the word for a hit's confidence stands for, in a sentence."""
    if hit.parts and hit.parts.keys() <= {"words", "look", "colour"}:
        return WORDS if hit.confidence == "possible" else "It suits the words no better than many pictures do."
    return VERIFIED if hit.verified else MEANINGS[hit.confidence]


def no_match(hits: Iterable[Hit]) -> bool:
    """Whether nothing that was found stands out from pictures that do not hold the object."""
    return all(hit.confidence == "unlikely" for hit in hits)


def _reduced(probability: float) -> float:
    """The quantile of the Gumbel distribution with location 0 and scale 1."""
    return float(-np.log(-np.log(probability)))
