"""A request uses the models and images it needs, and no others."""

from dataclasses import dataclass

import numpy as np
import pytest

from retrieval.answer import Answering, answer
from retrieval.errors import BadBox
from retrieval.images.decode import LoadedImage
from retrieval.request import Example, Request
from retrieval.types import Box, Image, Query, WrittenLine, unit

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


def test_a_crop_is_read_unless_it_is_most_of_a_gallery_picture(gallery, asked, monkeypatch):
    """Lines of a gallery picture are known, but those of a small box were read at a smaller size."""
    inside, outside = WrittenLine("inside", Box(2, 2, 9, 9), 1.0), WrittenLine("outside", Box(50, 50, 60, 60), 1.0)
    gallery.written_in = lambda sha256: [inside, outside] if sha256 == "a" else []
    gallery.lines = {0: [inside]}
    sought = []
    gallery.find_written = lambda words, most: sought.append(words) or {}
    crop = WrittenLine("crop", Box(0, 0, 9, 9), 1.0)

    def describe(picture: LoadedImage, box: Box, context: float) -> Query:
        return Query((picture.image,), VECTORS[4])

    answering = Answering(describe, asked.text_scorer, lambda image: [crop])
    for picture, box in (("a", BOX), ("a", Box(0, 0, 31, 31)), ("b", BOX)):
        pictures = dict.fromkeys("ab", LoadedImage.of(PICTURE))
        answer(Request((Example(picture, box),), "best"), pictures, gallery, answering)
    assert sought == [["inside"], ["crop"], ["crop"]]


def test_without_a_reader_nothing_is_looked_for(gallery, asked):
    gallery.lines = {0: [WrittenLine("word", BOX, 1.0)]}
    gallery.find_written = None
    assert len(answered(Request((Example("a", BOX),), "best"), gallery, asked)) == 10
