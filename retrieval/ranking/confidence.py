"""What similarities and match figures mean: images without the object that score as high, and words for figures."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from retrieval.types import Confidence, Hit, Numbers, Scores, Vectors

SAMPLED_QUERIES = 400
SAMPLED_IMAGES = 1000
LOW_QUANTILE, MIDDLE_QUANTILE, HIGH_QUANTILE = 0.25, 0.5, 0.9
"""Where the distribution is fitted: through the lower two at first, since many scores may be true matches."""
TRIMMED, ROUNDS = 0.05, 12
"""Scores in this upper tail of the fit may be true matches. They are left out, and the rest is fitted again."""
HEAVY_TAIL = 1.05
"""Factor of the fitted scale: photographs of other objects reach high scores more often than the distribution says."""
LIKELY, POSSIBLE = 95, 50
"""Match figures from which on a match is likely, and from which on it is possible."""
COPY_FIGURE = 100
"""The match figure of a copy of the query. That of any other hit is lower."""
MIN_IMAGES = 3
"""Different images needed for a fit."""
ENOUGH_IMAGES = 8
"""Different images from which a fit is trusted."""
COPY_DISTANCE = 0.3
"""Images nearer to each other than this share of the usual distance between images count as copies in a fit."""
USUAL_QUANTILE = 0.1
"""Quantile of pairwise similarities taken as typical for different images. It is low: most pairs may be copies."""
IDENTICAL, NEARLY_IDENTICAL = 0.998, 0.98
"""Similarity of a copy, and of an altered copy. In a gallery full of copies, the background does not tell them."""
MEANINGS: dict[Confidence, str] = {
    "likely": f"At least {LIKELY} in 100 such matches are right.",
    "possible": f"From {POSSIBLE} to {LIKELY - 1} in 100 such matches are right.",
    "uncertain": "The gallery has too few different pictures to judge.",
    "unlikely": "Fewer than half of such matches are right.",
}
WORDS = "It matches the description better than most pictures. Text search is less reliable than search by box."
VERIFIED = "Small details agree; the outline shows where."
NO_MATCH = "No confident match; showing the nearest look-alikes."


@dataclass(frozen=True, slots=True)
class BackgroundScores:
    """Gumbel distribution of the best-region score of an image that does not contain the query object."""

    location: float
    scale: float
    certain: bool = True
    """Whether the gallery has enough different images for the fit to be trusted."""

    def expected(self, similarity: float, images: int) -> float:
        """The expected number of images, out of `images` without the object, that score at least `similarity`."""
        reduced = min((self.location - similarity) / self.scale, 700.0)  # beyond that exp overflows
        return float(-images * np.expm1(-np.exp(reduced)))


CAUTIOUS = BackgroundScores(0.6, 0.05, certain=False)
"""For a gallery too small to fit: only very similar regions are likely matches."""


def fit_background_scores(vectors: Vectors, images: Numbers, seed: int = 0) -> BackgroundScores:
    """Fit to the gallery: sampled region vectors (N, D) query all images but their own. images (N,) is ascending.

    Of near-copies, only one image takes part: a copy contains the object.
    """
    starts = np.unique(images, return_index=True)[1]
    ends = np.append(starts[1:], len(vectors))
    rng = np.random.default_rng(seed)
    sample = np.sort(rng.permutation(len(starts))[:SAMPLED_IMAGES])
    sample = sample[_different(vectors[starts[sample]])]
    if len(sample) < MIN_IMAGES:
        return CAUTIOUS
    rows = np.concatenate([np.arange(starts[i], ends[i]) for i in sample])
    queries = rng.permutation(rows)[:SAMPLED_QUERIES]
    first = np.unique(images[rows], return_index=True)[1]
    best = np.maximum.reduceat(vectors[queries] @ vectors[rows].T, first, axis=1)  # (queries, images)
    elsewhere = images[queries][:, None] != images[rows][first][None, :]
    location, scale = _gumbel_fit(best[elsewhere])
    return BackgroundScores(location, HEAVY_TAIL * scale, certain=len(sample) >= ENOUGH_IMAGES)


def _gumbel_fit(scores: Scores) -> tuple[float, float]:
    """Location and scale of a Gumbel distribution of scores (N,), a part of which are true matches and higher."""
    location, scale = _gumbel_through(scores, LOW_QUANTILE, MIDDLE_QUANTILE)
    for _ in range(ROUNDS):
        kept = scores[scores <= location + scale * _gumbel_quantile(1 - TRIMMED)]
        location, scale = _gumbel_through(kept, MIDDLE_QUANTILE, HIGH_QUANTILE, 1 - TRIMMED)
    return location, scale


def _gumbel_through(scores: Scores, low: float, high: float, share: float = 1.0) -> tuple[float, float]:
    """Location and scale from two quantiles of scores (N,) that are the lowest `share` of a Gumbel distribution."""
    at, above = _gumbel_quantile(share * low), _gumbel_quantile(share * high)
    first, second = (float(value) for value in np.quantile(scores, [low, high]))
    scale = max((second - first) / (above - at), 1e-3)
    return first - scale * at, scale


def _different(descriptors: Vectors) -> Numbers:
    """Places of images, none of which is a near-copy of another. Descriptors (M, D) of their first regions.

    The limit depends on the usual similarity, which is 0 after whitening and up to 0.8 without.
    """
    similar = descriptors @ descriptors.T
    pairs = similar[np.triu_indices(len(similar), 1)]
    usual = np.quantile(pairs, USUAL_QUANTILE) if len(pairs) else 0.0
    near = similar >= min(1 - COPY_DISTANCE * (1 - usual), NEARLY_IDENTICAL)
    kept = np.zeros(len(near), bool)
    for place, neighbours in enumerate(near):
        kept[place] = not (neighbours & kept).any()
    return np.flatnonzero(kept)


def confidence_of(figure: int, certain: bool) -> Confidence:
    """The word for a match figure. `certain`: whether the gallery has enough different images to judge."""
    if figure >= LIKELY:
        return "likely"
    if figure >= POSSIBLE:
        return "possible"
    return "unlikely" if certain else "uncertain"


def meaning(hit: Hit) -> str:
    """Explain a hit's figure, or why words found it, in a sentence or two."""
    if hit.written:
        return f"{'Written' if hit.confidence == 'likely' else 'Nearly written'} in it: “{hit.written}”."
    if hit.parts.keys() == {"name"}:
        return "Its name or folder has these words."
    if hit.parts and hit.parts.keys() <= {"words", "look", "colour"}:
        return WORDS if hit.confidence == "possible" else "It matches the description no better than many pictures."
    sentences = [MEANINGS[hit.confidence] if hit.match is None else figure_meaning(hit.match)]
    if hit.confidence == "uncertain" and hit.match is not None:
        sentences.append(MEANINGS["uncertain"])
    return " ".join([*sentences, VERIFIED] if hit.verified else sentences)


def figure_meaning(figure: int) -> str:
    """One sentence about a match figure."""
    if figure == COPY_FIGURE:
        return f"Match {figure}: the same picture as the query."
    return f"Match {figure}: of hits shown like this, about {figure} in 100 are right."


def figure_and_word(hit: Hit) -> str:
    """The match figure, if there is one, and the word for it, such as "97 likely"."""
    return hit.confidence if hit.match is None else f"{hit.match} {hit.confidence}"


def no_match(hits: Iterable[Hit]) -> bool:
    """Whether no hit is a confident match."""
    return all(hit.confidence in ("unlikely", "uncertain") for hit in hits)


def _gumbel_quantile(probability: float) -> float:
    """A quantile of the standard Gumbel distribution."""
    return float(-np.log(-np.log(probability)))
