"""Rank the gallery images for a query. Start reading here."""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from retrieval.errors import pick
from retrieval.ranking import verification
from retrieval.ranking.diffusion import diffuse
from retrieval.ranking.expansion import expand, expand_with
from retrieval.ranking.keypoints import Keypoints, query_keypoints
from retrieval.ranking.region_search import Nearest, Searchable, best_region_of, nearest_images
from retrieval.ranking.verification import (
    CERTAIN_INLIERS,
    MIN_INLIERS,
    NO_EVIDENCE,
    Evidence,
    verification_score,
    verify_all,
)
from retrieval.types import Hit, Numbers, Query, Region, Scores, Vectors

METHODS = frozenset({"expansion", "diffusion", "verification"})
"""The steps that `best` adds to the vector search."""
SHORTLIST = 1000
"""Images that `best` re-ranks; the others follow in the order of the expanded query."""
VERIFICATION_CANDIDATES = 150
"""Top images whose keypoints are compared."""
EXPANSION_IMAGES = 40
"""Maximum verified images that join the query."""
DIFFUSION_SOURCES = 20
"""Regions that diffusion starts from."""
DIFFUSION_WEIGHT = 0.1
"""Factor of the logarithmic diffusion score; the highest score becomes 1.15."""
DIFFUSION_FLOOR = 1e-5
"""Diffusion scores below this share of the maximum map to nearly 0. Also the lower limit of the maximum."""
TIE_BREAK_WEIGHT = 1e-3
"""Weight of the similarity, small enough only to break ties between inlier counts."""


@dataclass(frozen=True, slots=True)
class _Ranked:
    """M images in the order they were found, and the parts of their scores by name, each (M,)."""

    found: Nearest
    parts: dict[str, Scores]

    @property
    def total(self) -> Scores:
        return np.asarray(sum(self.parts.values()), np.float32)


def search(query: Query, gallery: Searchable, ranking: str = "fast", top: int = 10) -> list[Hit]:
    """Return the `top` images that contain the query object, best first; `top=0` ranks every image."""
    rank = pick(RANKINGS | BASELINES, "ranking", ranking)
    return rank(query, gallery, top)


def fast(query: Query, gallery: Searchable, top: int) -> list[Hit]:
    """One vector search. The score of an image is the similarity of its best region."""
    found = nearest_images(query.descriptor, gallery, top)
    return [
        _hit(gallery, int(image), int(row), float(score), {"similarity": float(score)})
        for image, row, score in zip(found.images, found.rows, found.scores, strict=True)
    ]


def best(query: Query, gallery: Searchable, top: int, methods: Collection[str] = METHODS) -> list[Hit]:
    """Query expansion, diffusion and geometric verification.

    Verified images then expand the query again, and diffusion is repeated from the new query. The score is the
    similarity to the (expanded) query plus a non-negative part each for diffusion and verification. `methods` selects
    the methods, for ablation.
    """
    count = max(top, SHORTLIST) if top else 0
    with ThreadPoolExecutor(1) as executor:  # query keypoints are extracted during the vector search
        view_keypoints = executor.submit(list, map(query_keypoints, query.crops if "verification" in methods else ()))
        expanded = expand(query.descriptor, gallery) if "expansion" in methods else query.descriptor
        ranked = _ranked(expanded, query.descriptor, gallery, count, methods)
    evidence: dict[int, Evidence] = {}
    if "verification" in methods:
        evidence = _verified(
            view_keypoints.result(), gallery, ranked, VERIFICATION_CANDIDATES, verification.PAIRS_BUDGET
        )
        if "expansion" in methods and evidence:
            verified_rows = ranked.found.rows[np.isin(ranked.found.images, list(evidence)[:EXPANSION_IMAGES])]
            joined = expand_with(query.descriptor, gallery.vectors(verified_rows))
            ranked = _ranked(joined, joined, gallery, count, methods)
        verification_scores = [
            verification_score(evidence.get(image, NO_EVIDENCE).inliers)
            for image in ranked.found.images[:SHORTLIST].tolist()
        ]
        ranked.parts["verification"] = _padded(np.array(verification_scores, np.float32), len(ranked.found.images))
    return _hits(query, gallery, ranked, evidence, top)


def sift(query: Query, gallery: Searchable, top: int) -> list[Hit]:
    """Baseline: rank images by inlier count; ties, and images with fewer than MIN_INLIERS, by similarity."""
    found = nearest_images(query.descriptor, gallery, 0)
    ranked = _Ranked(found, {"similarity": TIE_BREAK_WEIGHT * found.scores})
    view_keypoints = [query_keypoints(crop) for crop in query.crops]
    evidence = _verified(view_keypoints, gallery, ranked, len(found.images), pairs=float("inf"))
    counts = [evidence.get(image, NO_EVIDENCE).inliers for image in found.images.tolist()]
    ranked.parts["inliers"] = np.array(counts, np.float32)
    return _hits(query, gallery, ranked, evidence, top)


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


def _ranked(descriptor: Vectors, source: Vectors, gallery: Searchable, count: int, methods: Collection[str]) -> _Ranked:
    """Vector search with an expanded descriptor (D,), plus diffusion scores from a source descriptor (D,)."""
    found = nearest_images(descriptor, gallery, count)
    parts = {"expansion" if "expansion" in methods else "similarity": found.scores}
    if "diffusion" in methods:
        parts["diffusion"] = _padded(_diffusion(source, gallery, found.images[:SHORTLIST]), len(found.images))
    return _Ranked(found, parts)


def _diffusion(descriptor: Vectors, gallery: Searchable, images: Numbers) -> Scores:
    """Diffusion scores of these images, summed over their regions, on a logarithmic scale from 0 to 1.15."""
    graph = gallery.graph
    rows, similarities = gallery.nearest(descriptor, min(8 * DIFFUSION_SOURCES, gallery.region_count))
    sources = np.flatnonzero(np.isin(rows, graph.nodes))[:DIFFUSION_SOURCES]
    reached = diffuse(graph, rows[sources], similarities[sources])
    of_image = np.bincount(gallery.images_of(graph.nodes), reached, images.max(initial=-1) + 1)[images]
    share = of_image / max(of_image.max(initial=0), DIFFUSION_FLOOR)
    return np.asarray(DIFFUSION_WEIGHT * np.log1p(share / DIFFUSION_FLOOR), dtype=np.float32)


def _verified(
    view_keypoints: Sequence[tuple[Keypoints, tuple[int, int]]],
    gallery: Searchable,
    ranked: _Ranked,
    count: int,
    pairs: float,
) -> dict[int, Evidence]:
    """Verify up to `count` best ranked images. Returns those with enough inliers, best ranked first.

    The views share the budget of `pairs` equally. Of several views, the one with the most inliers counts.
    """
    order = np.argsort(-ranked.total[: max(SHORTLIST, count)], kind="stable")
    candidates = ranked.found.images[order[:count]].tolist()
    views = [verify_all(*view, candidates, gallery.keypoints, pairs / len(view_keypoints)) for view in view_keypoints]
    strongest = [max(of_image, key=lambda evidence: evidence.inliers) for of_image in zip(*views, strict=True)]
    verified = zip(candidates, strongest, strict=True)
    return {image: evidence for image, evidence in verified if evidence.inliers >= MIN_INLIERS}


def _hits(query: Query, gallery: Searchable, ranked: _Ranked, evidence: dict[int, Evidence], top: int) -> list[Hit]:
    found = ranked.found
    hits = []
    for position in np.lexsort((found.images, -ranked.total))[: top or None]:
        image, row = int(found.images[position]), int(found.rows[position])
        _, similarity = best_region_of(image, query.descriptor, gallery)
        parts = {name: float(part[position]) for name, part in ranked.parts.items()}
        hits.append(_hit(gallery, image, row, similarity, parts, evidence.get(image, NO_EVIDENCE)))
    return hits


def _padded(scores: Scores, length: int) -> Scores:
    return np.pad(scores, (0, length - len(scores)))


def _hit(
    gallery: Searchable,
    image: int,
    row: int,
    similarity: float,
    parts: dict[str, float],
    evidence: Evidence = NO_EVIDENCE,
) -> Hit:
    region, confidence = gallery.region(row), gallery.background.confidence(similarity, gallery.image_count)
    if evidence.box and evidence.inliers >= CERTAIN_INLIERS:
        region, confidence = Region(evidence.box, "verified"), "likely"
    elif evidence.box and confidence != "likely":
        confidence = "possible"
    return Hit(gallery.name(image), region, sum(parts.values()), similarity, confidence, parts)
