"""Descriptors have the same products with bytes and with floats, also when threads come at once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from retrieval.networks.byte_products import MOST
from retrieval.ranking import dot_products as module
from tests.descriptors import made_descriptors


@pytest.fixture(autouse=True)
def started_anew():
    module._multiply.cache_clear()
    yield
    module._multiply.cache_clear()


def made(seed: int, count: int) -> np.ndarray:
    return made_descriptors(np.random.default_rng(seed), count)


@pytest.mark.parametrize("bytes_are_multiplied", [True, False])
def test_products_are_those_of_whole_numbers(bytes_are_multiplied, monkeypatch):
    if not bytes_are_multiplied:
        monkeypatch.setattr(module, "start_byte_products", lambda width: None)
    for counts in ((3, 500), (300, 2), (40, 60)):
        one, other = made(1, counts[0]), made(2, counts[1])
        expected = one.astype(np.int64) @ other.T.astype(np.int64)
        assert np.array_equal(module.dot_products(one, other), expected)


def test_large_values_count_as_the_largest():
    one, other = made(1, 2), made(2, 2)
    one[0, 0], other[0, 0] = 200, 255
    expected = np.minimum(one, MOST).astype(np.int64) @ np.minimum(other, MOST).T.astype(np.int64)
    assert np.array_equal(module.dot_products(one, other), expected)


def test_it_is_started_once_by_many_threads(monkeypatch):
    started, together = [], threading.Barrier(4, timeout=10)
    monkeypatch.setattr(module, "start_byte_products", lambda width: started.append(width))

    def ask(number: int) -> np.ndarray:
        together.wait()
        return module.dot_products(made(number, 5), made(number, 5)).copy()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ask, range(4)))
    assert started == [128] and all(np.argmax(products, axis=1).tolist() == [0, 1, 2, 3, 4] for products in found)
