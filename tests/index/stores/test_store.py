"""Every store equals a sorted NumPy inner product; IVF too if it probes all cells."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from index.stores import flat_store as flat
from index.stores import float16_store, store
from index.stores import ivf_store as cell_store
from index.stores.flat_store import FlatStore
from index.stores.float16_store import Float16Store
from index.stores.ivf import make_cells
from index.stores.ivf_store import IvfStore
from index.stores.store import STORES, Store, open_store
from retrieval.errors import IndexProblem, UnknownName
from retrieval.types import quiet, unit
from tests.lite import filled_collection

Make = Callable[[np.ndarray], Store]


@pytest.fixture(autouse=True)
def _large_already(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the code paths of large tables on small ones: threads, rough scores, cells."""
    for module in (flat, cell_store):
        monkeypatch.setattr(module, "THREADS", 3)
    monkeypatch.setattr(flat, "ROWS_OF_THREAD", 50)
    monkeypatch.setattr(float16_store, "LARGE_SHARE", 1.0)
    monkeypatch.setattr(float16_store, "SPARE", 1)
    monkeypatch.setattr(cell_store, "TOO_MANY", 2.0)
    monkeypatch.setattr(IvfStore, "_probes", lambda self, count, among: len(self._cells.centroids))


@pytest.fixture(params=STORES)
def make(request: pytest.FixtureRequest) -> Make:
    lite = request.getfixturevalue("lite") if request.param == "milvus" else None

    def made(vectors: np.ndarray) -> Store:
        vectors.setflags(write=False)
        if not len(vectors):
            return open_store("flat", vectors)
        cells = make_cells(vectors, quiet) if request.param == "cells" else None
        return open_store(request.param, vectors, cells, lite and filled_collection(lite, vectors))

    return made


def tables(count: int) -> pytest.MarkDecorator:
    """Number of random tables per store; fewer for Milvus, which must insert them first."""
    pairs = [(store, seed) for store in STORES for seed in range(2 if store == "milvus" else count)]
    return pytest.mark.parametrize(("make", "seed"), pairs, indirect=["make"])


@pytest.mark.parametrize("dimensions", [1, 7, 256])
def test_all_similarities_are_the_scores_of_a_search(dimensions: int) -> None:
    rng = np.random.default_rng(dimensions)
    vectors, query = rng.normal(size=(500, dimensions)).astype(np.float32), rng.normal(size=dimensions)
    for among in (range(500), range(120, 470), range(3, 3)):
        rows, scores = flat.scan(vectors, query, 500, among)
        assert np.array_equal(flat.similarities(vectors, query, among)[rows - among.start], scores)


def all_sorted(vectors: np.ndarray, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scores = vectors @ query
    rows = np.lexsort((np.arange(len(scores)), -scores))
    return rows, scores[rows]


@tables(10)
@pytest.mark.parametrize("count", [1, 7, 100, 10_000])
def test_r29_vectors_without_ties(make, seed, count):
    rng = np.random.default_rng(seed)
    vectors = unit(rng.normal(size=(rng.integers(1, 2000), rng.integers(2, 300))))
    queries = unit(rng.normal(size=(3, vectors.shape[1])))
    store = make(vectors)
    for query in queries:
        rows, scores = store.search(query, count, range(len(vectors)))
        assert rows.shape == scores.shape == (min(count, len(vectors)),)
        expected, expected_scores = all_sorted(vectors, query)
        assert scores == pytest.approx(expected_scores[:count], abs=1e-5)
        assert vectors[rows] @ query == pytest.approx(scores, abs=1e-5)
        assert len(set(rows.tolist())) == len(rows)
        clear = np.diff(expected_scores[:count], append=-2) < -1e-5  # where rounding cannot change the order
        clear &= np.diff(expected_scores[:count], prepend=2) < -1e-5
        assert np.array_equal(rows[clear], expected[:count][clear])


@tables(20)
def test_r29_equal_scores_come_by_row(make, seed):
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-2, 3, (rng.integers(1, 400), 3)).astype(np.float32) / 8  # exact products and many ties
    query = rng.integers(-2, 3, 3).astype(np.float32) / 8
    store = make(vectors)
    expected, expected_scores = all_sorted(vectors, query)
    among = range(len(vectors))
    rows, scores = store.search(query, len(vectors), among)
    assert np.array_equal(rows, expected) and np.array_equal(scores, expected_scores)
    for count in (1, 5, 150):
        rows, scores = store.search(query, count, among)
        assert np.array_equal(scores, expected_scores[:count])
        above = scores > scores[-1]  # ties for the last place may resolve either way
        assert np.array_equal(rows[above], expected[:count][above])
        assert np.all(np.diff(rows)[np.diff(scores) == 0] > 0)


def test_r29_nothing_in_it_and_nothing_asked_for(make):
    empty = make(np.zeros((0, 4), np.float32))
    for count in (0, 5):
        rows, scores = empty.search(np.ones(4, np.float32), count, range(0))
        assert rows.shape == scores.shape == (0,)
    rows, _ = make(np.eye(4, dtype=np.float32)).search(np.ones(4, np.float32), 0, range(4))
    assert rows.shape == (0,)


@tables(20)
def test_a_restricted_search_returns_only_rows_in_the_range(make, seed):
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-2, 3, (rng.integers(1, 400), 3)).astype(np.float32) / 8  # exact products and many ties
    query = rng.integers(-2, 3, 3).astype(np.float32) / 8
    start, end = np.sort(rng.integers(0, len(vectors) + 1, 2)).tolist()
    expected, expected_scores = all_sorted(vectors[start:end], query)
    store = make(vectors)
    rows, scores = store.search(query, len(vectors), range(start, end))
    assert np.array_equal(rows, expected + start) and np.array_equal(scores, expected_scores)
    rows, scores = store.search(query, 5, range(start, end))
    assert np.array_equal(scores, expected_scores[:5]) and set(rows) <= set(range(start, end))


def test_concurrent_searches_give_the_same_results(make: Make) -> None:
    rng = np.random.default_rng(0)
    store = make(unit(rng.normal(size=(2000, 32))))
    queries = unit(rng.normal(size=(40, 32)))
    alone = [store.search(query, 20, range(2000))[0].tolist() for query in queries]
    with ThreadPoolExecutor(8) as threads:
        together = threads.map(lambda query: store.search(query, 20, range(2000))[0].tolist(), [*queries] * 5)
        assert list(together) == alone * 5


@pytest.mark.parametrize("seed", range(10))
def test_float16_store_equals_flat_store_below_float16_resolution(seed: int) -> None:
    rng = np.random.default_rng(seed)
    middle = unit(rng.normal(size=64))
    vectors = unit(middle + rng.normal(size=(3000, 64)) * 1e-4)  # closer than float16 resolution
    query = unit(middle + rng.normal(size=64) * 0.02)
    expected, expected_scores = FlatStore(vectors).search(query, 10, range(3000))
    rows, scores = Float16Store(vectors).search(query, 10, range(3000))
    assert np.array_equal(scores, expected_scores)
    above = scores > scores[-1]  # ties for the last place may resolve either way
    assert np.array_equal(rows[above], expected[above])
    rough, _ = Float16Store(vectors)._rough(query, 10, range(3000))
    assert set(rough) != set(expected)  # exact scores were needed


def test_float16_errors_stay_within_the_bound() -> None:
    halfway = 2.0**-3 * (1 + 2.0**-11)  # halfway between two float16 numbers, so all round the same way
    vectors = np.full((1, 64), halfway, np.float32)
    query = unit(np.ones(64))
    copies = Float16Store(vectors)
    wrong = abs(float(copies._rough(query, 1, range(1))[1][0]) - float(vectors[0] @ query))
    assert 0.9 * copies._max_error < wrong <= copies._max_error
    rng = np.random.default_rng(0)
    vectors = unit(rng.normal(size=(1000, 300)) * 10.0 ** rng.integers(-9, 1, (1000, 300)))  # includes subnormal values
    query = unit(rng.normal(size=300))
    copies = Float16Store(vectors)
    rows, scores = copies._rough(query, 1000, range(1000))
    assert np.abs(vectors[rows] @ query - scores).max() <= copies._max_error


def test_float16_store_rescores_only_few_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(float16_store, "SPARE", 32)
    compared = []
    exactly = float16_store.rescored
    monkeypatch.setattr(float16_store, "rescored", lambda *given: compared.append(len(given[2])) or exactly(*given))
    rng = np.random.default_rng(0)
    store = Float16Store(unit(rng.normal(size=(20_000, 64))))
    for query in unit(rng.normal(size=(3, 64))):
        store.search(query, 10, range(20_000))
    assert compared == [42, 42, 42]


def test_flat_store_does_not_copy_the_vectors(tmp_path) -> None:
    given = unit(np.random.default_rng(0).normal(size=(500, 8)))
    np.save(tmp_path / "vectors.npy", given)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r+")
    store = FlatStore(np.asarray(mapped))
    mapped[7] = 2 * given[3]
    assert store.search(given[3], 2, range(500))[0].tolist() == [7, 3]


def test_auto_chooses_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "FLAT_ROWS", 100)
    vectors = unit(np.random.default_rng(0).normal(size=(101, 8)))
    assert isinstance(open_store("auto", vectors[:100]), FlatStore)
    assert isinstance(open_store("auto", vectors), Float16Store)
    assert isinstance(open_store("auto", vectors, make_cells(vectors, quiet)), IvfStore)
    assert isinstance(open_store("flat", vectors, make_cells(vectors, quiet)), FlatStore)


def test_unknown_store() -> None:
    vectors = np.eye(4, dtype=np.float32)
    with pytest.raises(IndexProblem, match="BOXFIND_STORE=cells"):
        open_store("cells", vectors)
    with pytest.raises(IndexProblem, match="BOXFIND_MILVUS_URI"):
        open_store("milvus", vectors)
    with pytest.raises(UnknownName, match="auto, cells, flat, half, milvus"):
        open_store("round", vectors)
