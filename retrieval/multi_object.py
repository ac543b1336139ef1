"""Several boxes in one search: views of one object, objects that must all be there, objects that must not."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from retrieval.ranking.region_search import Searchable, best_region_of
from retrieval.search import SHORTLIST, search
from retrieval.types import Confidence, Hit, Query, iou, unit

SAME_PLACE = 0.5
"""Intersection over union from which on two regions are one thing."""
SURENESS: tuple[Confidence, ...] = ("unlikely", "possible", "likely")


def merge_views(views: Sequence[Query]) -> Query:
    """Several views of one object as one query: the mean of their descriptors; every crop is compared in detail."""
    if len(views) == 1:
        return views[0]
    crops = tuple(crop for view in views for crop in view.crops)
    return Query(crops, unit(np.sum([view.descriptor for view in views], axis=0)))


def search_multiple(
    wanted: Sequence[Query], unwanted: Sequence[Query], gallery: Searchable, ranking: str, top: int
) -> list[Hit]:
    """The `top` images that hold every wanted object and no unwanted one, best first; 0 for all.

    Each object is ranked on its own. Of several wanted ones a hit has the region and, as `others`, the further regions;
    score, similarity and confidence are those of the object it holds least surely.
    """
    if len(wanted) == 1 and not unwanted:
        return search(wanted[0], gallery, ranking, top)
    count = max(top, SHORTLIST) if top else 0
    found = _found_together(wanted, [search(query, gallery, ranking, count) for query in wanted], gallery)
    for query in unwanted:
        against = {hit.image: hit for hit in search(query, gallery, ranking, count)}
        found = [hits for hits in found if not _holds(against.get(hits[0].image), hits)]
    return [_joined(hits) for hits in found[: top or None]]


def _found_together(wanted: Sequence[Query], rankings: Sequence[list[Hit]], gallery: Searchable) -> list[list[Hit]]:
    """Of each image a hit for each object, best first: an image is worth as much as the object it holds least surely.

    Scores of different objects mean different things, so each is divided by that of its object's best image.
    """
    if len(rankings) == 1:
        return [[hit] for hit in rankings[0]]
    images = {hit.image for hits in rankings for hit in hits}
    objects = [_relative(_complete(query, hits, images, gallery)) for query, hits in zip(wanted, rankings, strict=True)]
    together = [[hits[image] for hits in objects] for image in images]
    return sorted(
        together, key=lambda hits: (-min(hit.score for hit in hits), -sum(hit.score for hit in hits), hits[0].image)
    )


def _complete(query: Query, hits: list[Hit], images: set[str], gallery: Searchable) -> list[Hit]:
    """The ranking of an object and, worth as much as the last of it, what only other objects brought near."""
    ranked = {hit.image for hit in hits}
    more = []
    for image in images - ranked:
        row, similarity = best_region_of(gallery.number(image), query.descriptor, gallery)
        confidence = gallery.background.confidence(similarity, gallery.image_count)
        more.append(Hit(image, gallery.region(row), hits[-1].score, similarity, confidence))
    return hits + more


def _relative(hits: list[Hit]) -> dict[str, Hit]:
    """By image, scores as shares of the best; nothing is better than 0 where the best is not."""
    best = hits[0].score if hits and hits[0].score > 0 else 1.0
    return {hit.image: replace(hit, score=hit.score / best) for hit in hits}


def _joined(hits: Sequence[Hit]) -> Hit:
    """One hit for an image from those for each object; its parts are their scores, each a share of the best."""
    if len(hits) == 1:
        return hits[0]
    return replace(
        hits[0],
        score=min(hit.score for hit in hits),
        similarity=min(hit.similarity for hit in hits),
        confidence=min((hit.confidence for hit in hits), key=SURENESS.index),
        parts={f"object {number}": hit.score for number, hit in enumerate(hits, start=1)},
        others=tuple(hit.region for hit in hits[1:]),
    )


def _holds(unwanted: Hit | None, wanted: Sequence[Hit]) -> bool:
    """Whether an image holds what must not be there, by the hit for that and those for what must.

    Two boxes that found the same place speak of one thing, and the surer claim has it. In another place it is a thing
    of its own, and counts when it is there likely.
    """
    if unwanted is None:
        return False
    same = [hit for hit in wanted if iou(unwanted.region.box, hit.region.box) > SAME_PLACE]
    if same:
        return _claim(unwanted) > max(_claim(hit) for hit in same)
    return unwanted.confidence == "likely"


def _claim(hit: Hit) -> tuple[bool, float]:
    """Details that agree outweigh likeness. Then similarity: scores of different objects mean different things."""
    return hit.verified, hit.similarity
