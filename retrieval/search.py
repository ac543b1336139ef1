"""The way from a query to a ranking: start reading here."""

from collections.abc import Callable, Collection

import numpy as np

from retrieval.diffusion import diffuse
from retrieval.errors import pick
from retrieval.expansion import expand
from retrieval.nearest import Nearest, Searchable, nearest_images
from retrieval.types import Hit, Numbers, Query, Region, Scores, Vectors
from retrieval.verification import NOTHING, SURE, Evidence, lift, verify_all

METHODS = frozenset({"expansion", "diffusion", "verification"})
"""What `best` adds to the vector search."""
SHORTLIST = 1000
"""Images that `best` looks at again; the others follow in the order of the expanded query."""
VERIFIED = 200
"""Images, the best so far, whose keypoints are compared."""
SOURCES = 20
"""Regions from which diffusion sets out."""
FAINTEST = 1e-5
DIFFUSION_WEIGHT = 0.1


def search(query: Query, gallery: Searchable, ranking: str = "fast", top: int = 10) -> list[Hit]:
    """The `top` images that hold what the query shows, best first; top=0 ranks every image."""
    rank = pick(RANKINGS, "ranking", ranking)
    return rank(query, gallery, top)


def fast(query: Query, gallery: Searchable, top: int) -> list[Hit]:
    """One exact vector search; an image is worth as much as its best region."""
    found = nearest_images(query.descriptor, gallery, top)
    return [
        _hit(gallery, int(image), int(row), float(score), {"similarity": float(score)})
        for image, row, score in zip(found.images, found.rows, found.scores, strict=True)
    ]


def best(query: Query, gallery: Searchable, top: int, methods: Collection[str] = METHODS) -> list[Hit]:
    """Expansion finds more, diffusion reaches what only others resemble, verification lifts what is surely there.

    Each adds its part to an image's score, and none takes anything away; `methods` leaves some out, to measure them.
    """
    count = max(top, SHORTLIST) if top else 0
    plain = nearest_images(query.descriptor, gallery, count)
    found, parts = plain, {"similarity": plain.scores}
    if "expansion" in methods:
        found = nearest_images(expand(query.descriptor, gallery), gallery, count)
        parts = {"expansion": found.scores}
    shortlist = found.images[:SHORTLIST]
    if "diffusion" in methods:
        parts["diffusion"] = _padded(_diffusion(query.descriptor, gallery, shortlist), len(found.images))
    evidence = [NOTHING] * len(found.images)
    if "verification" in methods:
        candidates = np.argsort(-_total(parts)[: len(shortlist)], kind="stable")[:VERIFIED].tolist()
        matches = verify_all(query.crops[0], found.images[candidates].tolist(), gallery.keypoints)
        for place, match in zip(candidates, matches, strict=True):
            evidence[place] = match
        parts["verification"] = np.array([lift(match.inliers) for match in evidence], np.float32)
    order = np.lexsort((found.images, -_total(parts)))[: top or None]
    similarity = _similarities(query.descriptor, gallery, found, order, plain)
    return [
        _hit(
            gallery,
            int(found.images[place]),
            int(found.rows[place]),
            cosine,
            {name: float(part[place]) for name, part in parts.items()},
            evidence[place],
        )
        for place, cosine in zip(order, similarity, strict=True)
    ]


Ranking = Callable[[Query, Searchable, int], list[Hit]]
RANKINGS: dict[str, Ranking] = {"fast": fast, "best": best}


def _diffusion(descriptor: Vectors, gallery: Searchable, images: Numbers) -> Scores:
    """What reaches each of these images, all its regions together, on a logarithmic scale from 0 to 1.15."""
    graph = gallery.graph
    rows, similarities = gallery.nearest(descriptor, min(8 * SOURCES, gallery.region_count))
    sources = np.flatnonzero(np.isin(rows, graph.nodes))[:SOURCES]
    reached = diffuse(graph, rows[sources], similarities[sources])
    of_image = np.bincount(gallery.images_of(graph.nodes), reached, gallery.image_count)[images]
    share = of_image / max(of_image.max(initial=0), FAINTEST)
    return np.asarray(DIFFUSION_WEIGHT * np.log1p(share / FAINTEST), dtype=np.float32)


def _similarities(
    descriptor: Vectors, gallery: Searchable, found: Nearest, order: Numbers, plain: Nearest
) -> list[float]:
    """Of each image its best region's; where only expansion brought an image near, that of the region it found."""
    known = dict(zip(plain.images.tolist(), plain.scores.tolist(), strict=True))
    found_regions = gallery.vectors(found.rows[order]) @ descriptor
    return [
        known.get(int(image), float(cosine)) for image, cosine in zip(found.images[order], found_regions, strict=True)
    ]


def _total(parts: dict[str, Scores]) -> Scores:
    return np.asarray(sum(parts.values()), np.float32)


def _padded(scores: Scores, length: int) -> Scores:
    return np.pad(scores, (0, length - len(scores)))


def _hit(
    gallery: Searchable, image: int, row: int, similarity: float, parts: dict[str, float], evidence: Evidence = NOTHING
) -> Hit:
    region, confidence = gallery.region(row), gallery.null.confidence(similarity, gallery.image_count)
    if evidence.box and evidence.inliers >= SURE:
        region, confidence = Region(evidence.box, "verified"), "likely"
    elif evidence.box and confidence == "unlikely":
        confidence = "possible"
    return Hit(gallery.name(image), region, sum(parts.values()), similarity, confidence, parts)
