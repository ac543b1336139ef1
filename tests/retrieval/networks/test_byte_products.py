"""Bytes are multiplied exactly, by many threads; nothing else is offered where that is not so."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from retrieval.networks import byte_products as module
from retrieval.networks.byte_products import MOST, start_byte_products


def random_bytes(seed: int, count: int, width: int = 128) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, MOST, (count, width), np.uint8, endpoint=True)


@pytest.fixture(scope="module")
def multiply():
    started = start_byte_products(128)
    assert started is not None
    return started


@pytest.mark.parametrize("counts", [(1, 1), (7, 300), (301, 16), (64, 4000)])
def test_products_are_exact_for_any_shape(multiply, counts):
    one, other = (random_bytes(seed, count) for seed, count in enumerate(counts))
    one[0], other[0] = MOST, MOST  # the largest product
    assert np.array_equal(multiply(one, other), one.astype(np.int64) @ other.T.astype(np.int64))


def test_threads_do_not_interfere(multiply):
    pairs = [(random_bytes(n, 40 + n), random_bytes(100 + n, 90 - n)) for n in range(24)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda pair: multiply(*pair).copy(), pairs))
    for (one, other), products in zip(pairs, found, strict=True):
        assert np.array_equal(products, one.astype(np.int64) @ other.T.astype(np.int64))


def test_without_openvino_there_are_none(monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    assert start_byte_products(128) is None


def test_inexact_products_are_refused(monkeypatch):
    monkeypatch.setattr(module.np, "array_equal", lambda one, other: False)
    assert start_byte_products(128) is None
