"""Answer a request: turn its boxes, text and feedback into ranked hits."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from retrieval.errors import BadBox
from retrieval.images.decode import LoadedImage
from retrieval.multi_object import merge_views, search_multiple
from retrieval.ranking.feedback import refine
from retrieval.ranking.region_search import Searchable, prefer_whole
from retrieval.ranking.text_agreement import lines_inside
from retrieval.request import Example, Request, Role
from retrieval.text.text_search import TextScorer
from retrieval.text.word_search import rerank_by_words, search_by_words
from retrieval.types import Box, Hit, Image, Query, WrittenLine

TEXT_SHORTLIST = 100
"""How many images found by boxes are re-ranked by text."""

DescribeQuery = Callable[[LoadedImage, Box, float], Query]
"""(picture, box, context factor) -> query. A factor of 1.2 makes each side of the box 20 % longer. Raises BadBox."""
ReadText = Callable[[Image], Sequence[WrittenLine]]
"""Read what is written in an image, in its pixels."""
LARGE_BOX = 0.5
"""A box on a gallery picture of at least this share of the longer side is not read again: lines in it are known."""


class SearchableFolders(Searchable, Protocol):
    """A gallery that can be restricted to a folder."""

    def below(self, folder: str) -> Searchable:
        """The part of the gallery below a folder; "" means all of it. Raises UnknownFolder."""

    def numbers(self, names: Iterable[str]) -> list[int]:
        """The numbers of the images with these ids. Unknown ids are ignored."""

    def written_in(self, sha256: str) -> Sequence[WrittenLine]:
        """What is written in the image whose file has this SHA-256; nothing if there is none, or it was not read."""


@dataclass(frozen=True, slots=True)
class Answering:
    """The models and thresholds that answer requests on one gallery. Networks load on first use."""

    describe: DescribeQuery
    text_scorer: Callable[[], TextScorer]
    read: ReadText | None = None
    """None if texts are not compared."""
    min_similarity: float = -1.0
    """Hits below this similarity are dropped."""
    whole_margin: float = 0.0
    """See `prefer_whole`."""


def answer(
    request: Request, images: Mapping[str, LoadedImage], gallery: SearchableFolders, answering: Answering, top: int = 10
) -> list[Hit]:
    """Return the `top` hits for a request, best first; `top=0` returns all.

    `images` maps the SHA-256 of each query picture to the decoded picture. Raises BadBox when the request has neither a
    box nor text, and any error of the search.
    """
    if not request.asks:
        raise BadBox("There is nothing to search for; drag a box around an object or describe it.")
    part = gallery.below(request.folder)
    count = top + len(request.negatives) if top else 0  # leaves `top` after negatives are removed
    if not request.wanted:
        positives = gallery.numbers(request.positives)
        hits = search_by_words(request.words, answering.text_scorer, part, request.ranking, count, positives)
    elif not request.words:
        hits = _search_boxes(request, images, gallery, part, answering, count)
    else:
        hits = _search_boxes(request, images, gallery, part, answering, max(count, TEXT_SHORTLIST) if count else 0)
        hits = rerank_by_words(request.words, answering.text_scorer, part, hits)
    kept = [hit for hit in hits if hit.image not in request.negatives and hit.similarity >= answering.min_similarity]
    return kept[: top or None]


def _search_boxes(
    request: Request,
    images: Mapping[str, LoadedImage],
    gallery: SearchableFolders,
    part: Searchable,
    answering: Answering,
    count: int,
) -> list[Hit]:
    def query(example: Example) -> Query:
        picture = images[example.picture]
        described = answering.describe(picture, example.box, request.context)
        if answering.read is None:
            return described
        return replace(described, read=partial(_lines, example, picture, described, gallery, answering.read))

    def queries(*roles: Role) -> list[Query]:
        return [query(example) for example in request.examples if example.role in roles]

    views, others, unwanted = queries("object", "view"), queries("also"), queries("not")
    positives, negatives = gallery.numbers(request.positives), gallery.numbers(request.negatives)
    wanted = refine(merge_views(views), positives, negatives, gallery)
    hits = search_multiple([wanted, *others], unwanted, part, request.ranking, count)
    return prefer_whole(hits, wanted, part, answering.whole_margin)


def _lines(
    example: Example, picture: LoadedImage, query: Query, gallery: SearchableFolders, read: ReadText
) -> list[WrittenLine]:
    """What is written in a query's box. Read in its crops, unless the picture is in the gallery and the box large."""
    if max(example.box.width, example.box.height) >= LARGE_BOX * max(picture.size):
        known = gallery.written_in(example.picture)
        if known:
            return lines_inside(known, example.box)
    return [line for crop in query.crops for line in read(crop)]
