"""The ranking `best`: everything that is known about an image counts."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from itertools import chain, zip_longest

import numpy as np

from retrieval.ranking.diffusion import diffuse, positions
from retrieval.ranking.expansion import expand, expand_with
from retrieval.ranking.hits import Ranked, make_hits, with_figures
from retrieval.ranking.matching import Match, Matcher, alike, appearance_scores, certainties, view_of
from retrieval.ranking.region_search import Nearest, Searchable, best_region_of, nearest_images
from retrieval.ranking.search_threads import search_threads
from retrieval.ranking.text_agreement import (
    MATCHES,
    TextMatch,
    certain_images,
    find_text,
    joined_texts,
    lines_inside,
    shared_words,
    text_scores,
)
from retrieval.ranking.verification import CERTAIN_INLIERS, PAIRS_BUDGET, verification_score
from retrieval.text.sought_words import sought_words
from retrieval.types import Box, Hit, Numbers, Query, Scores, Vectors

METHODS = frozenset({"expansion", "diffusion", "verification", "appearance", "text"})
"""The steps that `best` adds to the vector search. Appearance needs verification."""
SHORTLIST = 1000
"""Images that `best` re-ranks; the others follow in the order of the expanded query."""
FIRST_CANDIDATES = 50
"""Images whose keypoints are compared first: by turns the nearest ones and the top ones after expansion."""
VERIFICATION_CANDIDATES = 80
"""Images whose keypoints are compared in all, the others after the verified ones have expanded the query."""
MIRRORED_CANDIDATES = 10
"""First candidates without a match whose keypoints are compared with the mirrored query."""
MATCHED_VIEWS = 2
"""Matches that look most like the query crop, with whose views of the object further candidates are compared."""
MATCHED_INLIERS = 15
"""Minimum inliers of these matches."""
MATCHED_CANDIDATES = 24
"""Images without a match that are compared with them."""
COLOUR_CANDIDATES = 15
"""Images that no homography lays over the crop, whose colours are compared."""
FEW_MATCHES = 5
"""Certain matches from which on the words on them are enough, and the query crop is not read."""
EXPANSION_IMAGES = 40
"""Maximum verified images that join the query."""
DIFFUSION_SOURCES = 20
"""Regions that diffusion starts from."""
DIFFUSION_WEIGHT = 0.1
"""Factor of the logarithmic diffusion score; the highest score becomes 1.15."""
DIFFUSION_FLOOR = 1e-5
"""Diffusion scores below this share of the maximum map to nearly 0. Also the lower limit of the maximum."""
FULL_LEAD = 0.15
"""Lead in similarity from which on the nearest image stays before groups of similar ones."""
COPY_SIMILARITY = 0.9
"""Similarity above which an image is nearly a copy of the query; the score of a copy is 1 higher."""

_PARTS = 4  # that share the budget of verification: the first candidates, mirrored ones, a batch, and matched views


def best(query: Query, gallery: Searchable, top: int, methods: Set[str] = METHODS) -> list[Hit]:
    """Query expansion, diffusion, geometric verification, appearance and text agreement.

    Verified images that look most like the query crop, and images with the same rare words, expand the query again, and
    diffusion is repeated from the new query. Its top images are verified and expand it once more. The score is the
    similarity to the (expanded) query plus a part for each other method. `methods` selects the methods, for ablation.
    """
    count = max(top, SHORTLIST) if top else 0
    crops = query.crops if "verification" in methods else ()
    prepared = [search_threads().submit(view_of, crop) for crop in crops]  # during the vector search
    expanded = expand(query.descriptor, gallery) if "expansion" in methods else query.descriptor
    ranked = _ranked(expanded, gallery, count, methods)
    nearest = nearest_images(query.descriptor, gallery, FIRST_CANDIDATES)
    first = _by_turns(nearest.images, ranked.found.images)[:FIRST_CANDIDATES]
    views = [view.result() for view in prepared]
    matcher = Matcher(views, gallery, "appearance" in methods, PAIRS_BUDGET / _PARTS)
    matches = matcher.match(first, MIRRORED_CANDIDATES)
    reads_text = "text" in methods and query.read is not None and gallery.has_text
    texts = _texts(query, matches, gallery) if reads_text else {}
    ranked = _expanded_again(query, matches, texts, ranked, gallery, count, methods)
    compared = set(first)
    more = [image for image in _best_first(ranked, texts, gallery) if image not in compared]
    if found := matcher.match_in_batches(more[: VERIFICATION_CANDIDATES - len(first)]):
        matches |= found
        texts = joined_texts(texts, _texts_of_matches(matches, gallery) if reads_text else {})
        ranked = _expanded_again(query, matches, texts, ranked, gallery, count, methods)
    matches |= _matches_of_matches(matcher, matches, _best_first(ranked, texts, gallery))
    ranked = _including({*matches, *texts, *nearest.images.tolist()}, ranked, gallery)
    behind = _behind(ranked)
    if methods & {"expansion", "diffusion"}:
        _add(ranked, "lead", _lead_scores(nearest, behind))
    if "verification" in methods:
        _add(ranked, "verification", _verification_scores(matches, behind))
    if "appearance" in methods:
        regions = _regions_not_compared(matches, _best_first(ranked, texts, gallery), ranked, gallery)
        _add(ranked, "appearance", appearance_scores(matches) | matcher.colour_scores(regions))
    if "text" in methods:
        _add(ranked, "text", text_scores(texts))
    return with_figures(make_hits(query, gallery, ranked, matches, top, texts), gallery, "best")[: top or None]


def _ranked(descriptor: Vectors, gallery: Searchable, count: int, methods: Set[str]) -> Ranked:
    """Vector search with an expanded descriptor (D,)."""
    found = nearest_images(descriptor, gallery, count)
    return Ranked(descriptor, found, {"expansion" if "expansion" in methods else "similarity": found.scores})


def _with_diffusion(ranked: Ranked, gallery: Searchable, methods: Set[str]) -> Ranked:
    """The ranking, with diffusion scores from its descriptor for the shortlist, if they are wanted and missing."""
    if "diffusion" not in methods or "diffusion" in ranked.parts:
        return ranked
    images = ranked.found.images
    scores = _padded(_diffusion(ranked.descriptor, gallery, images[:SHORTLIST]), len(images))
    return replace(ranked, parts=ranked.parts | {"diffusion": scores})


def _diffusion(descriptor: Vectors, gallery: Searchable, images: Numbers) -> Scores:
    """Diffusion scores of these images, summed over their regions, on a logarithmic scale from 0 to 1.15."""
    graph = gallery.graph
    rows, similarities = gallery.nearest(descriptor, min(8 * DIFFUSION_SOURCES, gallery.region_count))
    sources = np.flatnonzero(positions(graph.nodes, rows) >= 0)[:DIFFUSION_SOURCES]
    reached = diffuse(graph, rows[sources], similarities[sources])
    near = np.flatnonzero(reached)
    of_image = np.bincount(gallery.images_of(graph.nodes[near]), reached[near], images.max(initial=-1) + 1)[images]
    share = of_image / max(of_image.max(initial=0), DIFFUSION_FLOOR)
    return np.asarray(DIFFUSION_WEIGHT * np.log1p(share / DIFFUSION_FLOOR), dtype=np.float32)


def _texts(query: Query, matches: Mapping[int, Match], gallery: Searchable) -> dict[int, TextMatch]:
    """The images that share words with the matches or, if there are few, with the query crops, which are read then."""
    texts = _texts_of_matches(matches, gallery)
    if query.read is None or len(_certain(matches)) >= FEW_MATCHES:
        return texts
    return joined_texts(texts, find_text(sought_words(query.read()), gallery))


def _texts_of_matches(matches: Mapping[int, Match], gallery: Searchable) -> dict[int, TextMatch]:
    """The images that share words which are written on the object in several of the matches."""
    certain = _certain(matches)[:MATCHES]
    lines = [lines_inside(gallery.written(image), box) for image, box in certain]
    return find_text(shared_words([*map(sought_words, lines)]), gallery)


def _certain(matches: Mapping[int, Match]) -> list[tuple[int, Box]]:
    """The matches that certainly show the object, and where, the most alike first."""
    evidence = [(image, matches[image].evidence) for image in alike(matches)]
    return [(image, found.box) for image, found in evidence if found.inliers >= CERTAIN_INLIERS and found.box]


def _by_turns(one: Numbers, other: Numbers) -> list[int]:
    """The images of two lists by turns, each once."""
    by_turns = chain.from_iterable(zip_longest(one.tolist(), other.tolist()))
    return [image for image in dict.fromkeys(by_turns) if image is not None]


def _best_first(ranked: Ranked, texts: Mapping[int, TextMatch], gallery: Searchable) -> list[int]:
    """The first SHORTLIST images, and those with certain text, by their scores."""
    shortlist = _including(certain_images(texts), _shortlist(ranked), gallery)
    images, of_text = shortlist.found.images.tolist(), text_scores(texts)
    scores = shortlist.total + np.array([of_text.get(image, 0.0) for image in images], np.float32)
    return [images[place] for place in np.argsort(-scores, kind="stable")]


def _shortlist(ranked: Ranked) -> Ranked:
    """The first SHORTLIST images in the order they were found."""
    found = ranked.found
    first = Nearest(found.images[:SHORTLIST], found.rows[:SHORTLIST], found.scores[:SHORTLIST])
    return Ranked(ranked.descriptor, first, {name: part[:SHORTLIST] for name, part in ranked.parts.items()})


def _matches_of_matches(matcher: Matcher, matches: Mapping[int, Match], ranked: Sequence[int]) -> dict[int, Match]:
    """Images without a match that show the object as some of the matches do."""
    sources = [image for image in alike(matches) if matches[image].evidence.inliers >= MATCHED_INLIERS]
    shown = {image: matches[image] for image in sources[:MATCHED_VIEWS]}
    return matcher.match_through(shown, [image for image in ranked if image not in matches][:MATCHED_CANDIDATES])


def _expanded_again(
    query: Query,
    matches: Mapping[int, Match],
    texts: Mapping[int, TextMatch],
    ranked: Ranked,
    gallery: Searchable,
    count: int,
    methods: Set[str],
) -> Ranked:
    """The ranking by the query, its matches and certain texts, with diffusion; the same search without any."""
    joining = dict.fromkeys([*alike(matches)[:EXPANSION_IMAGES], *certain_images(texts)])
    if "expansion" not in methods or not joining:
        return _with_diffusion(ranked, gallery, methods)
    rows = [best_region_of(image, ranked.descriptor, gallery)[0] for image in joining]
    joined = expand_with(query.descriptor, gallery.vectors(np.array(rows)), gallery)
    return _with_diffusion(_ranked(joined, gallery, count, methods), gallery, methods)


def _including(images: Iterable[int], ranked: Ranked, gallery: Searchable) -> Ranked:
    """The ranking, with these images at its end if they are not among the images found."""
    missing = sorted(set(images).difference(ranked.found.images.tolist()))
    if not missing:
        return ranked
    rows, scores = zip(*(best_region_of(image, ranked.descriptor, gallery) for image in missing), strict=True)
    found = ranked.found
    more = Nearest(np.array(missing, np.int64), np.array(rows, np.int64), np.array(scores, np.float32))
    joined = Nearest(
        np.concatenate([found.images, more.images]),
        np.concatenate([found.rows, more.rows]),
        np.concatenate([found.scores, more.scores]),
    )
    parts = {name: _padded(part, len(joined.images)) for name, part in ranked.parts.items()}
    similarity = next(iter(parts))  # to the (expanded) query
    return Ranked(ranked.descriptor, joined, parts | {similarity: joined.scores})


def _lead_scores(nearest: Nearest, behind: Mapping[int, float]) -> dict[int, float]:
    """The score part for what expansion and diffusion must not outrank, for the nearest images to the query itself.

    A lead of the nearest image makes up for the parts in which others are better; FULL_LEAD makes up for all. Copies
    get up to 1, from COPY_SIMILARITY on. `behind` is what each image lacks to the best one.
    """
    images, scores = nearest.images.tolist(), nearest.scores.tolist()
    parts = {
        image: max(score - COPY_SIMILARITY, 0) / (1 - COPY_SIMILARITY)
        for image, score in zip(images, scores, strict=True)
    }
    if len(scores) > 1:
        lead = scores[0] - scores[1]
        parts[images[0]] += lead + min(lead / FULL_LEAD, 1) * behind[images[0]]
    return parts


def _verification_scores(matches: Mapping[int, Match], behind: Mapping[int, float]) -> dict[int, float]:
    """The score part of each match, which makes up for the parts in which others are better, as far as it is certain.

    So what is certain is ordered by verification and appearance, and a group of similar images does not outrank it.
    """
    return {
        image: verification_score(matches[image].evidence.inliers) + certainty * behind[image]
        for image, certainty in certainties(matches).items()
    }


def _regions_not_compared(
    matches: Mapping[int, Match], candidates: Sequence[int], ranked: Ranked, gallery: Searchable
) -> dict[int, Box]:
    """The best regions of the first images that have not been compared pixel by pixel."""
    rows = dict(zip(ranked.found.images.tolist(), ranked.found.rows.tolist(), strict=True))
    compared = {image for image, match in matches.items() if match.likeness is not None}
    first = [image for image in candidates if image not in compared][:COLOUR_CANDIDATES]
    return {image: gallery.region(rows[image]).box for image in first}


def _behind(ranked: Ranked) -> dict[int, float]:
    """How much less each image scores than the best one."""
    total = ranked.total
    return dict(zip(ranked.found.images.tolist(), (total.max(initial=0) - total).tolist(), strict=True))


def _add(ranked: Ranked, name: str, scores: Mapping[int, float]) -> None:
    """Add a part of the score, given by image number; 0 for other images."""
    ranked.parts[name] = np.array([scores.get(image, 0.0) for image in ranked.found.images.tolist()], np.float32)


def _padded(scores: Scores, length: int) -> Scores:
    return np.pad(scores, (0, length - len(scores)))
