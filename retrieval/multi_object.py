"""Search with several boxes: views of one object, further required objects, and excluded objects."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np

from retrieval.best_ranking import SHORTLIST
from retrieval.ranking.confidence import confidence_of
from retrieval.ranking.region_search import Searchable, best_region_of
from retrieval.search import search
from retrieval.types import Hit, Query, WrittenLine, iou, unit

SAME_REGION_IOU = 0.5


def merge_views(views: Sequence[Query]) -> Query:
    """Merge views of one object into one query: the mean of their descriptors. Verification and text use every crop."""
    if len(views) == 1:
        return views[0]
    crops = tuple(crop for view in views for crop in view.crops)
    reads = [view.read for view in views if view.read]

    def read() -> list[WrittenLine]:
        return [line for one in reads for line in one()]

    return Query(crops, unit(np.sum([view.descriptor for view in views], axis=0)), read if reads else None)


def search_multiple(
    wanted: Sequence[Query], unwanted: Sequence[Query], gallery: Searchable, ranking: str, top: int
) -> list[Hit]:
    """Return the `top` images with every wanted and no unwanted object, best first; `top=0` returns all.

    Each object is ranked on its own. A hit holds the region of the first wanted object and, in `others`, those of the
    rest. Score, similarity and figure are the minimum over the wanted objects; the figure never rises down the list.
    """
    if len(wanted) == 1 and not unwanted:
        return search(wanted[0], gallery, ranking, top)
    count = max(top, SHORTLIST) if top else 0
    found = _rank_together(wanted, [search(query, gallery, ranking, count) for query in wanted], gallery)
    for query in unwanted:
        against = {hit.image: hit for hit in search(query, gallery, ranking, count)}
        found = [hits for hits in found if not _contains_unwanted(against.get(hits[0].image), hits)]
    combined = [_combined(hits) for hits in found[: top or None]]
    return combined if len(wanted) == 1 else _with_falling_figures(combined)


def _rank_together(wanted: Sequence[Query], rankings: Sequence[list[Hit]], gallery: Searchable) -> list[list[Hit]]:
    """For each image, one hit per object; best image first. An image scores as its weakest object.

    Scores of different objects are not comparable, so each is divided by the best score of its object.
    """
    if len(rankings) == 1:
        return [[hit] for hit in rankings[0]]
    images = {hit.image for hits in rankings for hit in hits}
    objects = [
        _relative_scores(_complete(query, hits, images, gallery)) for query, hits in zip(wanted, rankings, strict=True)
    ]
    together = [[hits[image] for hits in objects] for image in images]
    return sorted(
        together, key=lambda hits: (-min(hit.score for hit in hits), -sum(hit.score for hit in hits), hits[0].image)
    )


def _complete(query: Query, hits: list[Hit], images: set[str], gallery: Searchable) -> list[Hit]:
    """Extend an object's ranking to all `images`; those it lacks get the score of its last hit."""
    ranked = {hit.image for hit in hits}
    more = []
    for image in images - ranked:
        row, similarity = best_region_of(gallery.number(image), query.descriptor, gallery)
        region, last = gallery.region(row), hits[-1]
        more.append(Hit(image, region, last.score, similarity, last.confidence, match=last.match))
    return hits + more


def _relative_scores(hits: list[Hit]) -> dict[str, Hit]:
    """Hits by image, scores divided by the best score if that is positive."""
    best = hits[0].score if hits and hits[0].score > 0 else 1.0
    return {hit.image: replace(hit, score=hit.score / best) for hit in hits}


def _combined(hits: Sequence[Hit]) -> Hit:
    """Combine an image's hits, one per object, into one. Its parts are the relative scores of the objects."""
    if len(hits) == 1:
        return hits[0]
    return replace(
        hits[0],
        score=min(hit.score for hit in hits),
        similarity=min(hit.similarity for hit in hits),
        match=min(hit.match or 0 for hit in hits),
        parts={f"object {number}": hit.score for number, hit in enumerate(hits, start=1)},
        others=tuple(hit.region for hit in hits[1:]),
    )


def _with_falling_figures(hits: Sequence[Hit]) -> list[Hit]:
    """The hits, each with a figure that is at most that of the hit before."""
    certain = all(hit.confidence != "uncertain" for hit in hits)
    figures = accumulate((hit.match or 0 for hit in hits), min)
    return [
        replace(hit, match=figure, confidence=confidence_of(figure, certain))
        for hit, figure in zip(hits, figures, strict=True)
    ]


def _contains_unwanted(unwanted: Hit | None, wanted: Sequence[Hit]) -> bool:
    """Whether an image contains an unwanted object, given its hits for the unwanted and the wanted objects.

    When both hits are in the same place, the stronger one decides. In another place the unwanted object counts when
    its confidence is "likely".
    """
    if unwanted is None:
        return False
    same = [hit for hit in wanted if iou(unwanted.region.box, hit.region.box) > SAME_REGION_IOU]
    if same:
        return _strength(unwanted) > max(_strength(hit) for hit in same)
    return unwanted.confidence == "likely"


def _strength(hit: Hit) -> tuple[bool, float]:
    """Sort key: verified first, then similarity. Scores of different objects are not comparable."""
    return hit.verified, hit.similarity
