"""Images with their scores, and the hits they become."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from retrieval.ranking.confidence import confidence_of
from retrieval.ranking.match_figure import JUDGED, hit_evidence, match_figures
from retrieval.ranking.match_weights import WEIGHTS
from retrieval.ranking.matching import Match
from retrieval.ranking.region_search import Nearest, Searchable, best_region_of
from retrieval.ranking.text_agreement import TextMatch
from retrieval.ranking.verification import CERTAIN_INLIERS
from retrieval.types import Hit, Query, Region, Scores, Vectors


@dataclass(frozen=True, slots=True)
class Ranked:
    """M images in the order they were found, and the parts of their scores by name, each (M,)."""

    descriptor: Vectors
    """(D,): of the query, or of the query and what expands it."""
    found: Nearest
    parts: dict[str, Scores]

    @property
    def total(self) -> Scores:
        return np.asarray(sum(self.parts.values()), np.float32)


def make_hits(
    query: Query,
    gallery: Searchable,
    ranked: Ranked,
    matches: Mapping[int, Match],
    top: int,
    texts: Mapping[int, TextMatch] = MappingProxyType({}),
) -> list[Hit]:
    """The `top` hits, or as many as are judged together if those are more."""
    found = ranked.found
    hits = []
    for position in np.lexsort((found.images, -ranked.total))[: max(top, JUDGED) if top else None]:
        image, row = int(found.images[position]), int(found.rows[position])
        _, similarity = best_region_of(image, query.descriptor, gallery)
        parts = {name: float(part[position]) for name, part in ranked.parts.items()}
        hit = hit_of(gallery, image, row, similarity, parts, matches.get(image))
        hits.append(replace(hit, same_text=texts[image].lines) if image in texts else hit)
    return hits


def hit_of(
    gallery: Searchable, image: int, row: int, similarity: float, parts: dict[str, float], match: Match | None = None
) -> Hit:
    """A hit without its figure, which depends on the others."""
    region = gallery.region(row)
    if match and match.evidence.box and match.evidence.inliers >= CERTAIN_INLIERS:
        region = Region(match.evidence.box, "verified")
    expected = gallery.background.expected(similarity, gallery.image_count)
    evidence = hit_evidence(similarity, expected, parts, match)
    return Hit(gallery.name(image), region, sum(parts.values()), similarity, "unlikely", parts, evidence=evidence)


def with_figures(hits: Sequence[Hit], gallery: Searchable, ranking: str) -> list[Hit]:
    """The hits of one answer, best first, with their figures."""
    evidence, similarities = [hit.evidence for hit in hits], [hit.similarity for hit in hits]
    figures = match_figures(evidence, similarities, WEIGHTS[ranking])
    certain = gallery.background.certain
    return [
        replace(hit, match=figure, confidence=confidence_of(figure, certain))
        for hit, figure in zip(hits, figures, strict=True)
    ]
