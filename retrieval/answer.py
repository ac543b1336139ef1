"""Answer a whole request: its boxes, words and feedback become ranked hits."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from retrieval.errors import BadBox
from retrieval.multi_object import merge_views, search_multiple
from retrieval.ranking.feedback import refine
from retrieval.ranking.region_search import Searchable, prefer_whole
from retrieval.request import Request, Role
from retrieval.text.text_search import TextScorer, rerank_by_text, search_by_text
from retrieval.types import Box, Hit, Image, Query

TEXT_SHORTLIST = 100
"""Images found by boxes, among which words choose."""

DescribeQuery = Callable[[Image, Box, float], Query]
"""An image, a box in it and its context (1.2: each side a fifth longer) -> what is searched for. Raises BadBox."""


class SearchableFolders(Searchable, Protocol):
    """A whole gallery, which can also be searched folder by folder."""

    def below(self, folder: str) -> Searchable:
        """What lies below a folder; all for "". Raises UnknownFolder."""

    def numbers(self, names: Iterable[str]) -> list[int]:
        """The images with those ids; unknown ids are passed over."""


@dataclass(frozen=True, slots=True)
class Answering:
    """What requests on one gallery are answered with. Networks are loaded when they are first needed."""

    describe: DescribeQuery
    text_scorer: Callable[[], TextScorer]
    min_similarity: float = -1.0
    """Hits that are less similar are left out."""
    whole_margin: float = 0.0
    """See `prefer_whole`."""


def answer(
    request: Request, images: Mapping[str, Image], gallery: SearchableFolders, answering: Answering, top: int = 10
) -> list[Hit]:
    """The `top` images that a request asks for, best first; 0 for all. `images`: its pictures by their SHA-256.

    Raises BadBox when neither words nor a box say what to look for, and what searching raises.
    """
    if not request.asks:
        raise BadBox("No box shows what to look for: draw one round the object.")
    part = gallery.below(request.folder)
    count = top + len(request.negatives) if top else 0  # enough are left when the negatives are taken out
    if not request.wanted:
        positives = gallery.numbers(request.positives)
        hits = search_by_text(request.words, answering.text_scorer(), part, request.ranking, count, positives)
    elif not request.words:
        hits = _search_boxes(request, images, gallery, part, answering, count)
    else:
        hits = _search_boxes(request, images, gallery, part, answering, max(count, TEXT_SHORTLIST) if count else 0)
        hits = rerank_by_text(request.words, answering.text_scorer(), part, hits)
    kept = [hit for hit in hits if hit.image not in request.negatives and hit.similarity >= answering.min_similarity]
    return kept[: top or None]


def _search_boxes(
    request: Request,
    images: Mapping[str, Image],
    gallery: SearchableFolders,
    part: Searchable,
    answering: Answering,
    count: int,
) -> list[Hit]:
    def queries(*roles: Role) -> list[Query]:
        return [
            answering.describe(images[example.picture], example.box, request.context)
            for example in request.examples
            if example.role in roles
        ]

    views, others, unwanted = queries("object", "view"), queries("also"), queries("not")
    positives, negatives = gallery.numbers(request.positives), gallery.numbers(request.negatives)
    query = refine(merge_views(views), positives, negatives, gallery)
    hits = search_multiple([query, *others], unwanted, part, request.ranking, count)
    return prefer_whole(hits, query, part, answering.whole_margin)
