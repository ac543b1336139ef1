"""Searching by a sentence: alone, or to choose among what a box has found."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from retrieval.ranking.expansion import expand
from retrieval.ranking.region_search import Searchable, best_region_of, best_region_per_image
from retrieval.text.colour_names import colour_share, colours_in
from retrieval.text.conse import agreed, class_embeddings, make_text_index
from retrieval.text.sentence_embedder import embed_sentences
from retrieval.types import Hit, Numbers, Rows, Scores, Vectors, unit

OWN = 0.3
"""What a region's own score counts. The rest is what look-alikes score: they correct a classifier that errs on one
view, but must not have the last word where a thing is there only once."""
SEED_IMAGES = 5
"""Images, the best so far, whose look joins the search for more."""
ALIKE = 0.4
"""As long as they are so similar to one another, on average: then they show one thing, and are not five guesses."""
LOOK_WEIGHT = 0.5
COLOURED = 100
"""Images, the best so far, whose colours are looked at."""
OUTSTANDING = 3.0
"""How far above the middle score, in steps from the lower quarter to the middle, is far."""
COLOUR_WEIGHT = 0.3
CHOICE_WEIGHT = 0.5
"""What words count beside a box: the score of the image that they suit best."""


TextScorer = Callable[[str], tuple[Rows, Scores]]
"""A sentence -> rows (M,) of a whole gallery and how well each suits it (M,); made once, used for every sentence."""


def class_text_scorer(gallery: Searchable) -> TextScorer:
    """By what a classifier took each region for (ConSE), where look-alikes agree. Raises RuntimeMissing."""
    graph = gallery.graph
    class_scores = gallery.class_scores[graph.nodes]
    index = make_text_index(class_scores.classes, class_scores.shares, class_embeddings())

    def words(sentence: str) -> tuple[Rows, Scores]:
        scores = index.scores(embed_sentences([sentence])[0])
        return graph.nodes, OWN * scores + (1 - OWN) * agreed(scores, graph)

    return words


def tower_text_scorer(gallery: Searchable, embed: Callable[[str], Vectors]) -> TextScorer:
    """By the sentence's own place among the vectors, where the network that made them knows sentences (CLIP)."""

    return lambda sentence: gallery.nearest(embed(sentence), gallery.region_count)


def search_by_text(
    sentence: str, words: TextScorer, gallery: Searchable, ranking: str, top: int, positives: Sequence[int] = ()
) -> list[Hit]:
    """The `top` images that suit a sentence best; 0 for all that there is something to say of.

    `best` also looks for what resembles the first of them, when those are one thing. Where images are called `right`,
    it is what resembles those. Colours that the sentence names are looked for in the first.
    """
    images, rows, scores = _best_of_each(sentence, words, gallery)
    if not len(images):
        return []
    enough = _enough(scores)
    parts = {"words": scores}
    like = rows[np.isin(images, positives)] if positives else rows[:SEED_IMAGES]
    if len(like) and (positives or (ranking == "best" and _alike(gallery.vectors(like)))):
        parts["look"] = LOOK_WEIGHT * _look(like, gallery, images)
    colours = _colours(sentence, gallery, rows, np.argsort(-_sum(parts), kind="stable")[:COLOURED])
    if colours.any():
        parts["colour"] = colours
    total = _sum(parts)
    order = np.lexsort((images, -total))[: top or None]
    return [
        Hit(
            gallery.name(int(images[n])),
            gallery.region(int(rows[n])),
            float(total[n]),
            float(scores[n]),
            "possible" if scores[n] >= enough else "unlikely",
            {name: float(part[n]) for name, part in parts.items()},
        )
        for n in order
    ]


def rerank_by_text(sentence: str, words: TextScorer, gallery: Searchable, hits: Sequence[Hit]) -> list[Hit]:
    """The same hits, those first that suit a sentence: "this, but red". Each gets a part for it."""
    images, _, scores = _best_of_each(sentence, words, gallery)
    low, high = np.median(scores), scores.max(initial=0)
    suits = dict(zip(images.tolist(), np.clip((scores - low) / max(high - low, 1e-6), 0, 1), strict=True))
    colours = colours_in(sentence)
    chosen = []
    for hit in hits:
        part = CHOICE_WEIGHT * float(suits.get(gallery.number(hit.image), 0.0))
        parts = {**hit.parts, "words": part}
        if colours:
            pixels = gallery.pixels(gallery.number(hit.image), hit.region.box)
            parts["colour"] = CHOICE_WEIGHT * max(colour_share(pixels, colour) for colour in colours)
        chosen.append(replace(hit, score=hit.score + part + parts.get("colour", 0.0), parts=parts))
    return sorted(chosen, key=lambda hit: -hit.score)


def _enough(scores: Scores) -> float:
    """The score from which on an image may show what a sentence says: far above the middle one of all (M,).

    Words are not calibrated: what a network takes things for says too little for a chance to be named.
    """
    quarter, middle = np.quantile(scores, [0.25, 0.5])
    return float(middle + OUTSTANDING * (middle - quarter))


def _best_of_each(sentence: str, words: TextScorer, gallery: Searchable) -> tuple[Numbers, Rows, Scores]:
    """The images searched, best first, with the region of each that suits a sentence best."""
    rows, scores = words(sentence)
    inside = (rows >= gallery.rows.start) & (rows < gallery.rows.stop)
    rows, scores = rows[inside], scores[inside]
    images = gallery.images_of(rows)
    best = best_region_per_image(rows, scores, images)
    return images[best], rows[best], scores[best]


def _look(rows: Rows, gallery: Searchable, images: Numbers) -> Scores:
    """How much each image looks like some regions, at its most similar place."""
    descriptor = expand(unit(gallery.vectors(rows).sum(axis=0)), gallery)
    return np.array([best_region_of(int(image), descriptor, gallery)[1] for image in images], np.float32)


def _alike(vectors: Vectors) -> bool:
    """Whether some regions (M, D), with themselves left out, are similar on average."""
    count = len(vectors)
    return count > 1 and float((vectors @ vectors.T).sum() - count) / (count * (count - 1)) > ALIKE


def _colours(sentence: str, gallery: Searchable, rows: Rows, first: Numbers) -> Scores:
    """How much of the regions at those places has a colour that the sentence names."""
    shares = np.zeros(len(rows), np.float32)
    colours = colours_in(sentence)
    for place in first if colours else ():
        row = int(rows[place])
        pixels = gallery.pixels(int(gallery.images_of(rows[place : place + 1])[0]), gallery.region(row).box)
        shares[place] = COLOUR_WEIGHT * max(colour_share(pixels, colour) for colour in colours)
    return shares


def _sum(parts: dict[str, Scores]) -> Scores:
    return np.asarray(sum(parts.values()), np.float32)
