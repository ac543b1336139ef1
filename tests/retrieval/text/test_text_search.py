"""A sentence finds matching regions; beside a box it only re-ranks."""

import numpy as np
import pytest

from retrieval.ranking.confidence import WORDS, meaning
from retrieval.text import text_search as module
from retrieval.text.text_search import (
    COLOUR_WEIGHT,
    class_text_scorer,
    rerank_by_text,
    search_by_text,
    tower_text_scorer,
)
from retrieval.types import Box, ClassScores, Hit, Region, unit

IMAGES, CUPS = 40, tuple(range(1, 40, 4))


@pytest.fixture
def gallery(numpy_gallery):
    """Forty images with two regions each. In ten, the second is classified as a cup, and these look alike."""
    rng = np.random.default_rng(3)
    vectors = unit(rng.normal(size=(2 * IMAGES, 16)))
    for image in CUPS:
        vectors[2 * image + 1] = unit(vectors[2 * CUPS[0] + 1] + 0.1 * rng.normal(size=16))
    vectors = unit(vectors)
    classes = np.tile(np.array([[7, 8]], np.int16), (2 * IMAGES, 1))
    shares = np.tile(np.array([[0.6, 0.3]], np.float16), (2 * IMAGES, 1))
    for image in CUPS:
        classes[2 * image + 1] = 3, 7
    return numpy_gallery(vectors, np.repeat(np.arange(IMAGES), 2), class_scores=ClassScores(classes, shares))


@pytest.fixture
def meanings(monkeypatch) -> np.ndarray:
    """Embeddings of 1000 classes; a sentence is a class number."""
    vectors = unit(np.random.default_rng(1).normal(size=(1000, 24)))
    monkeypatch.setattr(module, "class_embeddings", lambda _: vectors)
    monkeypatch.setattr(module, "embed_sentences", lambda sentences: vectors[[int(text) for text in sentences]])
    return vectors


def found(hits: list[Hit]) -> list[str]:
    return [hit.image for hit in hits]


@pytest.mark.parametrize("ranking", ["fast", "best"])
def test_predicted_class_is_found_by_its_name(gallery, meanings, ranking):
    words = class_text_scorer(gallery)
    hits = search_by_text("3", words, gallery, ranking, 15)
    assert set(found(hits[:10])) == {f"{image:05d}" for image in CUPS}
    assert hits[0].region == gallery.region(2 * int(hits[0].image) + 1)
    assert all(hit.score == pytest.approx(sum(hit.parts.values())) for hit in hits)
    assert hits[9].score > hits[10].score
    assert found(search_by_text("3", words, gallery, ranking, 2)) == found(hits[:2])
    assert ("look" in hits[0].parts) == (ranking == "best")


def test_dissimilar_seeds_add_no_visual_similarity(gallery):
    scores = np.zeros(2 * IMAGES, np.float32)
    scores[[0, 4, 8, 12, 16]] = 0.5, 0.4, 0.3, 0.2, 0.1  # regions drawn at random
    hits = search_by_text("x", lambda _: (np.arange(2 * IMAGES), scores), gallery, "best", 5)
    assert found(hits) == ["00000", "00002", "00004", "00006", "00008"] and "look" not in hits[0].parts


def test_object_in_one_image_is_found(gallery, meanings):
    gallery.class_scores.classes[40] = 600, 601  # the whole of image 20
    hits = search_by_text("600", class_text_scorer(gallery), gallery, "fast", 1)
    assert found(hits) == ["00020"]


def test_outlying_scores_are_possible_and_never_likely(gallery):
    scores = np.random.default_rng(2).normal(0.3, 0.02, 2 * IMAGES).astype(np.float32)
    scores[7] = 0.6
    hits = search_by_text("x", lambda _: (np.arange(2 * IMAGES), scores), gallery, "fast", 0)
    assert (hits[0].image, hits[0].confidence) == ("00003", "possible")
    assert {hit.confidence for hit in hits[5:]} == {"unlikely"}
    assert meaning(hits[0]) == WORDS != meaning(hits[-1])


@pytest.mark.parametrize("searched", [range(2 * IMAGES), range(20, 60)], ids=["all", "a folder"])
def test_visual_similarity_is_that_of_the_best_region_and_takes_one_pass(gallery, meanings, monkeypatch, searched):
    passes, vectors, descriptor = [], gallery.vectors, unit(gallery.vectors(np.array([3]))[0] + 0.1)
    monkeypatch.setattr(type(gallery), "rows", searched)
    monkeypatch.setattr(module, "expand", lambda *_: descriptor)
    monkeypatch.setattr(gallery, "vectors", lambda rows: passes.append(rows) or vectors(rows))
    hits = search_by_text("3", class_text_scorer(gallery), gallery, "best", 0)
    assert {hit.image for hit in hits} == {f"{image:05d}" for image in gallery.images[searched]}
    for hit in hits:
        rows = gallery.rows_of(int(hit.image))
        assert hit.parts["look"] == pytest.approx(module.VISUAL_WEIGHT * max(vectors(rows) @ descriptor), abs=1e-6)
    assert len(passes) == 3  # two for the seeds, one over all vectors


@pytest.mark.parametrize("ranking", ["fast", "best"])
def test_only_searched_images_are_found(gallery, meanings, monkeypatch, ranking):
    monkeypatch.setattr(type(gallery), "are_searched", lambda self, rows: np.isin(self.images_of(rows), [3, 20, 21]))
    hits = search_by_text("3", class_text_scorer(gallery), gallery, ranking, 0)
    assert {hit.image for hit in hits} == {"00003", "00020", "00021"}


def test_positives_add_visual_similarity(gallery, meanings):
    words = class_text_scorer(gallery)
    assert "look" not in search_by_text("3", words, gallery, "fast", 3)[0].parts
    hits = search_by_text("3", words, gallery, "fast", 0, positives=[CUPS[4]])
    looks = {hit.image: hit.parts["look"] for hit in hits}
    cups = {f"{image:05d}" for image in CUPS}
    assert min(looks[image] for image in cups) > max(looks[image] for image in looks.keys() - cups)


def test_colours_in_the_sentence_are_measured(gallery, meanings):
    gallery.colours |= {CUPS[1]: (210, 20, 30)}
    scores = np.full(2 * IMAGES, 0.5, np.float32)
    hits = search_by_text("something red", lambda _: (np.arange(2 * IMAGES), scores), gallery, "fast", 3)
    assert hits[0].image == f"{CUPS[1]:05d}" and hits[0].parts["colour"] == pytest.approx(COLOUR_WEIGHT)
    assert (
        "colour"
        not in search_by_text("something", lambda _: (np.arange(2 * IMAGES), scores), gallery, "fast", 3)[0].parts
    )


def test_reranking_by_text_keeps_every_hit(gallery, meanings):
    words = class_text_scorer(gallery)
    hits = [
        Hit(f"{image:05d}", Region(Box(0, 0, 4, 4), "grid"), 1.0, 0.8, "likely", {"similarity": 1.0}, match=97)
        for image in (0, 5, 2)
    ]
    chosen = rerank_by_text("3", words, gallery, hits)
    assert found(chosen)[0] == "00005" and set(found(chosen)) == set(found(hits))
    assert chosen[0].score == pytest.approx(sum(chosen[0].parts.values())) and chosen[0].parts["words"] > 0.3
    assert {(hit.confidence, hit.match) for hit in chosen} == {("likely", None)}
    assert {(hit.image, hit.region, hit.similarity) for hit in chosen} == {
        (hit.image, hit.region, hit.similarity) for hit in hits
    }


def test_backbone_with_a_text_encoder_searches_its_own_vectors(gallery):
    words = tower_text_scorer(gallery, lambda sentence: gallery.vectors(np.array([int(sentence)]))[0])
    hits = search_by_text("11", words, gallery, "fast", 0)
    assert hits[0].image == "00005" and hits[0].similarity == pytest.approx(1, abs=1e-6)
    assert len(hits) == IMAGES and hits[-1].confidence == "unlikely"
