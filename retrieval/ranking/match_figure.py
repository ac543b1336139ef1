"""The match figure of a hit: of 100 hits with such evidence, how many show the query object.

A logistic model turns the evidence of each hit into log odds. A second one corrects them by what the whole answer says:
its order, how certain its first hits are, and whether there are sisters: aligned pictures whose descriptors differ. Its
inputs never rise down the list, and neither does the figure. The weights were learned on labelled data sets:
`python -m benchmarks.fit_match`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.ranking.confidence import COPY_FIGURE, IDENTICAL, NEARLY_IDENTICAL
from retrieval.ranking.matching import Match

JUDGED = 100
"""Hits that are judged together. The figures of later ones are at most that of the hit before."""
PARTS = ("expansion", "diffusion", "text")
"""Parts of the score that are evidence as they are. The others follow from what verification found."""
FIRST = 5
"""Hits that say whether the answer shows the object at all."""
SISTER_SIMILARITY = 0.5
"""A match whose similarity to the expanded query is lower is a sister: a product of the same brand, for example."""

_USUAL, _RARE, _RAREST = -3.0, 2.0, 3.5  # rarity of a similarity: the lowest, that of an altered copy, the highest
_MOST_INLIERS = 100
_FEW_INLIERS = 5  # one less than a match has
_ALIKE, _FAR = 2.0, 6.0  # likeness of a typical picture of the object, and the largest difference that counts
_SUREST = 6.0  # log odds: evidence of one hit counts up to 1 in 400

Evidence = Mapping[str, float]
"""What speaks for one hit, by name; more is better. A name that is missing counts as 0."""
LogOdds = NDArray[np.float64]
"""(M,), best hit first."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of the evidence of a hit, and of that of the answer; none is negative. `constant` is added."""

    hit: Mapping[str, float]
    answer: Mapping[str, float]


def hit_evidence(
    similarity: float, expected: float, parts: Mapping[str, float], match: Match | None = None
) -> dict[str, float]:
    """The evidence of one hit: the rarity of its similarity, parts of its score, and what verification found.

    `expected` is the number of images without the object that score at least this similarity.
    """
    evidence, rare = {name: parts[name] for name in PARTS if name in parts}, rarity(similarity, expected)
    if match is None:
        return evidence | {"rarity": rare}
    found, difference = match.evidence, (0.0 if match.likeness is None else match.likeness - _ALIKE)
    return evidence | {
        "verified": 1.0,
        "rarity of a match": rare,
        "inliers": float(np.log2(min(max(found.inliers, _FEW_INLIERS), _MOST_INLIERS) / _FEW_INLIERS)),
        "cover": found.cover,
        "alike": min(max(difference, 0.0), _FAR),
        "unlike": max(min(difference, 0.0), -_FAR),
    }


def rarity(similarity: float, expected: float) -> float:
    """How rarely an image without the object is so similar: 2 if in one of 100 searches, -1 if ten images are expected.

    Copies are rare even if the gallery is full of copies, whose similarities the background has seen.
    """
    usual = -float(np.log10(max(expected, 1e-9)))
    copied = np.interp(similarity, (NEARLY_IDENTICAL, IDENTICAL), (_RARE, _RAREST), left=_USUAL)
    return float(np.clip(max(usual, copied), _USUAL, _RAREST))


def match_figures(evidence: Sequence[Evidence], similarities: Sequence[float], weights: Weights) -> list[int]:
    """The figures of the hits of one answer, best first. They never rise down the list."""
    if not evidence:
        return []
    inputs = answer_evidence(evidence, weights)
    odds = sum(weight * inputs.get(name, 1.0) for name, weight in weights.answer.items())  # 1 for the constant
    shares = np.minimum.accumulate(1 / (1 + np.exp(-odds)))
    figures = np.minimum(np.round(100 * shares), COPY_FIGURE - 1).astype(int)
    copies = np.minimum.accumulate(np.asarray(similarities) >= IDENTICAL)
    return [int(figure) for figure in np.where(copies, COPY_FIGURE, figures)]


def answer_evidence(evidence: Sequence[Evidence], weights: Weights) -> dict[str, LogOdds]:
    """What speaks for each hit of an answer in its order, (M,) by name; none rises down the list."""
    odds = np.clip(_weighted(evidence, weights.hit), -_SUREST, _SUREST)
    steady = non_increasing(odds[:JUDGED])
    later = np.minimum.accumulate(np.concatenate([steady[-1:], odds[JUDGED:]]))[1:]
    sisters = sum("verified" in hit and hit.get("expansion", 1.0) < SISTER_SIMILARITY for hit in evidence[:JUDGED])
    return {
        "hit": np.concatenate([steady, later]),
        "first five": np.full(len(odds), odds[:FIRST].mean()),
        "no sisters": np.full(len(odds), -np.log1p(sisters)),
    }


def non_increasing(values: LogOdds) -> LogOdds:
    """The nearest non-increasing sequence (M,), by pooling adjacent violators (Ayer et al., 1955)."""
    means: list[float] = []
    counts: list[int] = []
    for value in values.tolist():
        mean, count = value, 1
        while means and means[-1] <= mean:
            before = counts.pop()
            mean = (means.pop() * before + mean * count) / (before + count)
            count += before
        means.append(mean)
        counts.append(count)
    return np.repeat(np.array(means, np.float64), counts)


def _weighted(evidence: Sequence[Evidence], weights: Mapping[str, float]) -> LogOdds:
    """The log odds of each hit."""
    names = [name for name in weights if name != "constant"]
    values = np.array([[found.get(name, 0.0) for name in names] for found in evidence], np.float64)
    return np.asarray(weights["constant"] + values @ np.array([weights[name] for name in names]))
