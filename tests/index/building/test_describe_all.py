"""BLAS uses one thread per matrix product while describing images, and all threads while learning the whitening."""

import pytest

from index.building import describe_all
from retrieval.descriptors.embedder import Embedder
from tests.blas import numpy_threads, numpy_with
from tests.tiny import TINY_RECIPE, tiny_run

WORKERS = 3


@pytest.mark.parametrize("sample", [10, 10_000], ids=["on the way", "at the end"])
def test_the_whitening_is_learned_with_all_threads(gallery, build_index, monkeypatch, sample):
    looking, learning = [], []

    def run(pixels):
        looking.append(numpy_threads())
        return tiny_run(pixels)

    def learn(*given):
        learning.append(numpy_threads())
        return learn_whitening(*given)

    learn_whitening = describe_all.learn_whitening
    monkeypatch.setattr(describe_all, "SAMPLE", sample)
    monkeypatch.setattr(describe_all, "learn_whitening", learn)
    with numpy_with(2):
        build_index(gallery, WORKERS, Embedder(TINY_RECIPE, run))
        assert numpy_threads() == 2
    assert learning == [WORKERS]
    assert looking[0] == 1 and set(looking) <= {1, WORKERS}  # some images are still in progress meanwhile
