"""A request uses the models and images it needs, and no others."""

from dataclasses import dataclass

import numpy as np
import pytest

from retrieval.answer import Answering, answer
from retrieval.errors import BadBox
from retrieval.request import Example, Request
from retrieval.types import Box, Image, Query, unit

PICTURE = np.zeros((64, 64, 3), np.uint8)
BOX = Box(0, 0, 32, 32)
VECTORS = unit(np.random.default_rng(3).normal(size=(20, 8)))


@dataclass
class Asked:
    """The models loaded for an answer, in order."""

    loaded: list[str]

    def describe(self, image: Image, box: Box, context: float) -> Query:
        self.loaded.append(f"query {box.width} x {box.height} times {context}")
        return Query((image,), VECTORS[4])

    def text_scorer(self):
        self.loaded.append("text")
        return lambda sentence: (np.arange(20), np.linspace(0, 1, 20, dtype=np.float32))


@pytest.fixture
def gallery(numpy_gallery):
    found = numpy_gallery(VECTORS, np.repeat(np.arange(10), 2))
    found.below = lambda folder: found
    found.numbers = lambda names: [int(name) for name in names if name.isdigit()]
    return found


@pytest.fixture
def asked() -> Asked:
    return Asked([])


def answered(request, gallery, asked, top=0, **options) -> list[str]:
    answering = Answering(asked.describe, asked.text_scorer, **options)
    return [hit.image for hit in answer(request, {"a": PICTURE}, gallery, answering, top)]


def test_box_loads_no_text_model_and_text_describes_no_box(gallery, asked):
    boxed = Request((Example("a", BOX),), "fast", 1.2)
    assert answered(boxed, gallery, asked)[0] == "00002" and asked.loaded == ["query 32 x 32 times 1.2"]
    asked.loaded.clear()
    assert answered(Request(words="a cup", ranking="fast"), gallery, asked)[0] == "00009" and asked.loaded == ["text"]


def test_empty_request_is_refused_before_loading(gallery, asked):
    for examples in ((), (Example("a", BOX, "not"),)):
        with pytest.raises(BadBox, match="drag a box around"):
            answered(Request(examples), gallery, asked)
    assert asked.loaded == []


def test_text_reranks_the_hits_of_a_box(gallery, asked):
    both = Request((Example("a", BOX),), "fast", words="a cup")
    assert sorted(answered(both, gallery, asked)) == sorted(answered(Request(both.examples, "fast"), gallery, asked))
    assert "text" in asked.loaded


def test_negatives_are_replaced_by_the_next_hits(gallery, asked):
    request = Request((Example("a", BOX),), "fast")
    everything = answered(request, gallery, asked)
    negatives = tuple(everything[:2])
    found = answered(Request(request.examples, "fast", negatives=negatives), gallery, asked, 5)
    assert len(found) == 5 and not set(found) & set(negatives)


def test_hits_below_the_minimum_similarity_are_dropped(gallery, asked):
    request = Request((Example("a", BOX),), "fast")
    assert 0 < len(answered(request, gallery, asked, min_similarity=0.5)) < 10
