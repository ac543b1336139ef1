"""Rank the gallery images for a query. Start reading here."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from retrieval.best_ranking import best
from retrieval.errors import pick
from retrieval.ranking.hits import Ranked, hit_of, make_hits, with_figures
from retrieval.ranking.match_figure import FIRST
from retrieval.ranking.matching import Matcher, view_of
from retrieval.ranking.region_search import Searchable, nearest_images
from retrieval.types import Hit, Query

TIE_BREAK_WEIGHT = 1e-3
"""Weight of the similarity, small enough only to break ties between inlier counts."""


def search(query: Query, gallery: Searchable, ranking: str = "fast", top: int = 10) -> list[Hit]:
    """Return the `top` images that contain the query object, best first; `top=0` ranks every image."""
    rank = pick(RANKINGS | BASELINES, "ranking", ranking)
    return rank(query, gallery, top)


def fast(query: Query, gallery: Searchable, top: int) -> list[Hit]:
    """One vector search. The score of an image is the similarity of its best region."""
    found = nearest_images(query.descriptor, gallery, max(top, FIRST) if top else 0)
    hits = [
        hit_of(gallery, int(image), int(row), float(score), {"similarity": float(score)})
        for image, row, score in zip(found.images, found.rows, found.scores, strict=True)
    ]
    return with_figures(hits, gallery, "fast")[: top or None]


def sift(query: Query, gallery: Searchable, top: int) -> list[Hit]:
    """Baseline: rank images by inlier count; ties, and images with fewer than MIN_INLIERS, by similarity."""
    found = nearest_images(query.descriptor, gallery, 0)
    ranked = Ranked(query.descriptor, found, {"similarity": TIE_BREAK_WEIGHT * found.scores})
    matcher = Matcher(list(map(view_of, query.crops)), gallery, by_appearance=False, pairs=float("inf"))
    matches = matcher.match(found.images.tolist())
    counts = [matches[image].evidence.inliers if image in matches else 0 for image in found.images.tolist()]
    ranked.parts["inliers"] = np.array(counts, np.float32)
    return with_figures(make_hits(query, gallery, ranked, matches, top), gallery, "fast")[: top or None]


def euclidean(query: Query, gallery: Searchable, top: int) -> list[Hit]:
    """Baseline: rank by Euclidean distance. For unit vectors the order is the same as by cosine similarity."""
    hits = []
    for hit in fast(query, gallery, top):
        distance = float(np.sqrt(max(2 - 2 * hit.similarity, 0.0)))
        hits.append(replace(hit, score=-distance, parts={"distance": -distance}))
    return hits


Ranking = Callable[[Query, Searchable, int], list[Hit]]
RANKINGS: dict[str, Ranking] = {"fast": fast, "best": best}
BASELINES: dict[str, Ranking] = {"sift": sift, "euclidean": euclidean}
"""For comparison only: available in commands, not in pages and links."""
