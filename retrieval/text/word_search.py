"""Answer a text query: first by what is written in pictures, then by what the words mean, then by file names."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from retrieval.ranking.region_search import Searchable
from retrieval.text.text_search import RERANK_WEIGHT, TextScorer, rerank_by_text, search_by_text
from retrieval.text.words import words_in
from retrieval.types import Box, Confidence, Hit, Region, WrittenLine, WrittenMatch

QUOTED = re.compile(r'["“”„«»「」](.+?)["“”„«»「」]')
"""Text in double quotation marks of several languages."""
ENOUGH = 0.7
"""Share of a query that must be written in a picture. Rare words count more."""
APART = 0.95
"""Factor for words that are not together in one line."""
WRITTEN_FIRST = 2.0
"""Added to the share, so that what is written comes before what is described, which scores less than this."""
MOST = 1000
"""Pictures with the words that are looked at."""


@dataclass(frozen=True, slots=True)
class TextQuery:
    """Texts in quotation marks, which must be written, and the rest, which may be written or described."""

    quoted: tuple[str, ...]
    rest: str


@dataclass(frozen=True, slots=True)
class Written:
    """How much of a query is written in a picture, 1 for all of it word for word, and its best line."""

    share: float
    line: WrittenLine


def parse_text(text: str) -> TextQuery:
    """Split '"7-Eleven" at night' into the quoted texts and the rest."""
    quoted = tuple(found for found in QUOTED.findall(text) if words_in(found))
    rest = QUOTED.sub(" ", text) if quoted else text
    return TextQuery(quoted, " ".join(rest.split()))


def search_by_words(
    text: str,
    make_scorer: Callable[[], TextScorer],
    gallery: Searchable,
    ranking: str,
    top: int,
    positives: Sequence[int] = (),
) -> list[Hit]:
    """Return the `top` images that match a text, best first.

    First come those in which it is written, then those that it describes, those named so, and all others.
    Quoted text must be written; then the scorer is not made.
    """
    query = parse_text(text)
    written = find_written(query, gallery)
    first = sorted((_hit(image, found, gallery) for image, found in written.items()), key=_order)[: top or None]
    if query.quoted or (top and len(first) >= top):
        return first
    described = search_by_text(query.rest, make_scorer(), gallery, ranking, top, positives)
    fitting = list(takewhile(lambda hit: hit.confidence == "possible", described))
    named = _named(query.rest, (fitting or described)[-1:], gallery, top)
    best_first: dict[str, Hit] = {}
    for hit in (*first, *fitting, *named, *described):
        best_first.setdefault(hit.image, hit)
    return list(best_first.values())[: top or None]


def rerank_by_words(
    text: str, make_scorer: Callable[[], TextScorer], gallery: Searchable, hits: Sequence[Hit]
) -> list[Hit]:
    """Re-rank hits by how well they match a text. With quoted text, only those in which it is written stay."""
    query = parse_text(text)
    written = find_written(query, gallery)
    numbers = {hit.image: gallery.number(hit.image) for hit in hits}
    if query.quoted:
        hits = [hit for hit in hits if numbers[hit.image] in written]
    if query.rest:
        hits = rerank_by_text(query.rest, make_scorer(), gallery, hits)
    return sorted((_raised(hit, written.get(numbers[hit.image])) for hit in hits), key=lambda hit: -hit.score)


def find_written(query: TextQuery, gallery: Searchable) -> dict[int, Written]:
    """The images in which the quoted texts, or else the words of the query, are written."""
    words = [word for word in query.rest.split() if words_in(word)]
    texts = dict.fromkeys(query.quoted or (*words, query.rest))
    found = gallery.find_written(list(texts), MOST)
    rarities = {match.sought: match.rarity for matches in found.values() for match in matches}
    rarest = max(rarities.values(), default=1.0)
    weights = {word: rarities.get(word, rarest) for word in words}  # a word that is nowhere is rare
    written = {}
    for image, matches in found.items():
        by_text = {match.sought: match for match in matches}
        if query.quoted:
            share = _share_of_quoted(query.quoted, by_text)
        else:
            share = _share_of_words(query.rest, weights, by_text)
        if share >= ENOUGH:
            written[image] = Written(share, _best_line(query.rest, share, by_text))
    return written


def _best_line(text: str, share: float, matches: dict[str, WrittenMatch]) -> WrittenLine:
    """The line with the whole text, if the share is its score, or else the one that matches a text best."""
    if text in matches and matches[text].score == share:
        return matches[text].line
    return max(matches.values(), key=lambda match: (match.score, len(match.sought))).line


def _share_of_quoted(quoted: Sequence[str], matches: dict[str, WrittenMatch]) -> float:
    if not matches.keys() >= set(quoted):
        return 0.0
    return sum(matches[text].score for text in quoted) / len(quoted)


def _share_of_words(text: str, weights: dict[str, float], matches: dict[str, WrittenMatch]) -> float:
    together = matches[text].score if text in matches else 0.0
    apart = sum(weights[word] * matches[word].score for word in weights if word in matches)
    return max(together, APART * apart / sum(weights.values()))


def _hit(image: int, found: Written, gallery: Searchable) -> Hit:
    region = Region(found.line.box, "written", found.line.confidence, found.line.text)
    score = WRITTEN_FIRST + found.share
    confidence: Confidence = "likely" if found.share == 1 else "possible"
    return Hit(gallery.name(image), region, score, found.share, confidence, {"written": score})


def _named(text: str, before: Sequence[Hit], gallery: Searchable, top: int) -> list[Hit]:
    """The first images that are named with all words of a text. They score as much as the hit before them, if any."""
    images = gallery.find_named(text.split())[: top or None].tolist() if words_in(text) else []
    score = before[0].score if before else 0.0
    regions = [gallery.region(int(gallery.rows_of(image)[0])) for image in images]
    return [
        Hit(gallery.name(image), region, score, 0.0, "possible", {"name": score})
        for image, region in zip(images, regions, strict=True)
    ]


def _order(hit: Hit) -> tuple[float, int, str]:
    """Best first; of equals, the larger writing."""
    box: Box = hit.region.box
    return -hit.score, -box.width * box.height, hit.image


def _raised(hit: Hit, found: Written | None) -> Hit:
    if found is None:
        return hit
    part = RERANK_WEIGHT * found.share
    return replace(hit, score=hit.score + part, parts={**hit.parts, "written": part})
