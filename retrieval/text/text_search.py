"""Text search, on its own or to re-rank the hits of a box."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from retrieval.ranking.expansion import expand
from retrieval.ranking.region_search import Searchable, best_position_per_image
from retrieval.text.colour_names import colour_share, colours_in
from retrieval.text.conse import agreed, class_embeddings, make_text_index
from retrieval.text.sentence_embedder import embed_sentences
from retrieval.types import Hit, Numbers, Rows, Scores, Vectors, unit

OWN_SCORE_WEIGHT = 0.3
"""Weight of a region's own score. The rest is the mean over similar regions, which corrects errors on single views but
must not dominate for an object that appears only once."""
SEED_IMAGES = 5
"""Top images whose descriptors form the visual query."""
MIN_SEED_SIMILARITY = 0.4
"""Minimum mean similarity among the seed regions: below it they probably show different objects."""
VISUAL_WEIGHT = 0.5
COLOUR_WEIGHT = 0.3
COLOUR_SHORTLIST = 100
"""Top images whose colours are measured."""
OUTLIER_FACTOR = 3.0
"""A score is "possible" from median + OUTLIER_FACTOR x (median - lower quartile). Text scores are not calibrated."""
RERANK_WEIGHT = 0.5
"""Weight of the text and of the colour when they re-rank the hits of a box."""

TextScorer = Callable[[str], tuple[Rows, Scores]]
"""A sentence -> region rows (M,) of the whole gallery, ascending, and their text scores (M,). Made once per gallery."""


def class_text_scorer(gallery: Searchable, class_names: Path | None = None) -> TextScorer:
    """Score by predicted classes (ConSE), smoothed over similar regions. Raises RuntimeMissing.

    `class_names` is the file that keeps the embedded class names.
    """
    graph = gallery.graph
    class_scores = gallery.class_scores[graph.nodes]
    index = make_text_index(class_scores.classes, class_scores.shares, class_embeddings(class_names))

    def score_regions(sentence: str) -> tuple[Rows, Scores]:
        scores = index.scores(embed_sentences([sentence])[0])
        return graph.nodes, OWN_SCORE_WEIGHT * scores + (1 - OWN_SCORE_WEIGHT) * agreed(scores, graph)

    return score_regions


def tower_text_scorer(gallery: Searchable, embed: Callable[[str], Vectors]) -> TextScorer:
    """Score by cosine similarity to the text embedding, for a backbone with a text encoder (CLIP)."""
    rows = gallery.rows
    return lambda sentence: (np.arange(rows.start, rows.stop), gallery.similarities(embed(sentence)))


def search_by_text(
    sentence: str, scorer: TextScorer, gallery: Searchable, ranking: str, top: int, positives: Sequence[int] = ()
) -> list[Hit]:
    """Return the `top` images that match a sentence, best first; `top=0` returns all scored images.

    The ranking `best` adds visual similarity to the top images, if these resemble one another. With `positives`, every
    ranking adds similarity to those images instead. Colours named in the sentence are measured in the top images.
    """
    images, rows, scores = _best_region_per_image(sentence, scorer, gallery)
    if not len(images):
        return []
    quartile, median = np.quantile(scores, [0.25, 0.5])
    threshold = float(median + OUTLIER_FACTOR * (median - quartile))
    parts = {"words": scores}
    seeds = rows[np.isin(images, positives)] if positives else rows[:SEED_IMAGES]
    if len(seeds) and (positives or (ranking == "best" and _are_similar(gallery.vectors(seeds)))):
        parts["look"] = VISUAL_WEIGHT * _visual_similarity(seeds, gallery, images)
    colours = _colours(sentence, gallery, rows, np.argsort(-_sum(parts), kind="stable")[:COLOUR_SHORTLIST])
    if colours.any():
        parts["colour"] = colours
    total = _sum(parts)
    order = np.lexsort((images, -total))[: top or None]
    return [
        Hit(
            gallery.name(int(images[n])),
            gallery.region(int(rows[n])),
            float(total[n]),
            float(scores[n]),
            "possible" if scores[n] >= threshold else "unlikely",
            {name: float(part[n]) for name, part in parts.items()},
        )
        for n in order
    ]


def rerank_by_text(sentence: str, scorer: TextScorer, gallery: Searchable, hits: Sequence[Hit]) -> list[Hit]:
    """Re-rank hits by how well they match a sentence, as in "this, but red". Adds score parts for text and colour."""
    images, _, scores = _best_region_per_image(sentence, scorer, gallery)
    low, high = np.median(scores), scores.max(initial=0)
    matches = dict(zip(images.tolist(), np.clip((scores - low) / max(high - low, 1e-6), 0, 1), strict=True))
    colours = colours_in(sentence)
    reranked = []
    for hit in hits:
        part = RERANK_WEIGHT * float(matches.get(gallery.number(hit.image), 0.0))
        parts = {**hit.parts, "words": part}
        if colours:
            pixels = gallery.pixels(gallery.number(hit.image), hit.region.box)
            parts["colour"] = RERANK_WEIGHT * max(colour_share(pixels, colour) for colour in colours)
        reranked.append(replace(hit, score=hit.score + part + parts.get("colour", 0.0), parts=parts))
    return sorted(reranked, key=lambda hit: -hit.score)


def _best_region_per_image(sentence: str, scorer: TextScorer, gallery: Searchable) -> tuple[Numbers, Rows, Scores]:
    """The searched images, best first, each with its best-matching region and that region's score."""
    rows, scores = scorer(sentence)
    inside = gallery.are_searched(rows)
    rows, scores = rows[inside], scores[inside]
    images = gallery.images_of(rows)
    best = best_position_per_image(scores, images)
    best = best[np.argsort(-scores[best], kind="stable")]
    return images[best], rows[best], scores[best]


def _visual_similarity(rows: Rows, gallery: Searchable, images: Numbers) -> Scores:
    """The similarity of each image's best region to the mean of some regions, after query expansion."""
    descriptor = expand(unit(gallery.vectors(rows).sum(axis=0)), gallery)
    scores, searched = gallery.similarities(descriptor), gallery.rows
    image_of_row = gallery.images_of(slice(searched.start, searched.stop))
    best = best_position_per_image(scores, image_of_row)
    return scores[best][np.searchsorted(image_of_row[best], images)]


def _are_similar(vectors: Vectors) -> bool:
    """Whether M regions (M, D) are similar on average, over all pairs."""
    count = len(vectors)
    return count > 1 and float((vectors @ vectors.T).sum() - count) / (count * (count - 1)) > MIN_SEED_SIMILARITY


def _colours(sentence: str, gallery: Searchable, rows: Rows, first: Numbers) -> Scores:
    """Weighted colour shares of regions, for the colours named in the sentence; 0 outside the places `first`."""
    shares = np.zeros(len(rows), np.float32)
    colours = colours_in(sentence)
    for place in first if colours else ():
        row = int(rows[place])
        pixels = gallery.pixels(int(gallery.images_of(rows[place : place + 1])[0]), gallery.region(row).box)
        shares[place] = COLOUR_WEIGHT * max(colour_share(pixels, colour) for colour in colours)
    return shares


def _sum(parts: dict[str, Scores]) -> Scores:
    return np.asarray(sum(parts.values()), np.float32)
