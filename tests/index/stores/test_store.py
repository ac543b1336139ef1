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
from index.stores.store import STORES, Material, Store, open_store
from retrieval.errors import IndexProblem, UnknownName
from retrieval.types import quiet, unit
from tests.lite import handed_over

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
            return open_store("flat", Material(vectors))
        cells = make_cells(vectors, quiet) if request.param == "cells" else None
        return open_store(request.param, Material(vectors, cells, lite and handed_over(lite, vectors)))

    return made


def tables(count: int) -> pytest.MarkDecorator:
    """Number of random tables per store; fewer for Milvus, which must insert them first."""
    pairs = [(store, seed) for store in STORES for seed in range(2 if store == "milvus" else count)]
    return pytest.mark.parametrize(("make", "seed"), pairs, indirect=["make"])


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
    assert len(store) == len(vectors)
    rows, scores = store.search(queries, count)
    assert rows.shape == scores.shape == (3, min(count, len(vectors)))
    for query, its_rows, its_scores in zip(queries, rows, scores, strict=True):
        expected, expected_scores = all_sorted(vectors, query)
        assert its_scores == pytest.approx(expected_scores[:count], abs=1e-5)
        assert vectors[its_rows] @ query == pytest.approx(its_scores, abs=1e-5)
        assert len(set(its_rows.tolist())) == len(its_rows)
        clear = np.diff(expected_scores[:count], append=-2) < -1e-5  # where rounding cannot change the order
        clear &= np.diff(expected_scores[:count], prepend=2) < -1e-5
        assert np.array_equal(its_rows[clear], expected[:count][clear])


@tables(20)
def test_r29_equal_scores_come_by_row(make, seed):
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-2, 3, (rng.integers(1, 400), 3)).astype(np.float32) / 8  # exact products and many ties
    query = rng.integers(-2, 3, 3).astype(np.float32) / 8
    store = make(vectors)
    expected, expected_scores = all_sorted(vectors, query)
    rows, scores = store.search(query[None], len(vectors))
    assert np.array_equal(rows[0], expected) and np.array_equal(scores[0], expected_scores)
    for count in (1, 5, 150):
        rows, scores = store.search(query[None], count)
        assert np.array_equal(scores[0], expected_scores[:count])
        above = scores[0] > scores[0][-1]  # ties for the last place may resolve either way
        assert np.array_equal(rows[0][above], expected[:count][above])
        assert np.all(np.diff(rows[0])[np.diff(scores[0]) == 0] > 0)


def test_r29_nothing_in_it_and_nothing_asked_for(make):
    empty = make(np.zeros((0, 4), np.float32))
    assert len(empty) == 0
    for count in (0, 5):
        rows, scores = empty.search(np.ones((2, 4), np.float32), count)
        assert rows.shape == scores.shape == (2, 0)
    rows, _ = make(np.eye(4, dtype=np.float32)).search(np.ones((2, 4), np.float32), 0)
    assert rows.shape == (2, 0)


def test_vectors_are_returned_by_row(make):
    vectors = unit(np.random.default_rng(0).normal(size=(50, 7)))
    rows = np.array([49, 0, 7, 7])
    assert np.array_equal(make(vectors).vectors(rows), vectors[rows])
    assert make(vectors).vectors(rows[:0]).shape == (0, 7)


@tables(20)
def test_only_some_rows_are_searched_and_they_keep_their_numbers(make, seed):
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-2, 3, (rng.integers(1, 400), 3)).astype(np.float32) / 8  # exact products and many ties
    query = rng.integers(-2, 3, 3).astype(np.float32) / 8
    start, end = np.sort(rng.integers(0, len(vectors) + 1, 2)).tolist()
    expected, expected_scores = all_sorted(vectors[start:end], query)
    store = make(vectors)
    rows, scores = store.search(query[None], len(vectors), range(start, end))
    assert np.array_equal(rows[0], expected + start) and np.array_equal(scores[0], expected_scores)
    rows, scores = store.search(query[None], 5, range(start, end))
    assert np.array_equal(scores[0], expected_scores[:5]) and set(rows[0]) <= set(range(start, end))
    for one, other in zip(store.search(query[None], 9), store.search(query[None], 9, range(len(store))), strict=True):
        assert np.array_equal(one, other)


@tables(5)
def test_many_queries_at_once_and_each_by_itself(make: Make, seed: int) -> None:
    rng = np.random.default_rng(seed)
    store = make(unit(rng.normal(size=(700, 256))))
    queries = unit(rng.normal(size=(flat.MANY_QUERIES + seed, 256)))
    for among in (None, range(100, 400)):
        rows, scores = store.search(queries, 12, among)
        for query, its_rows, its_scores in zip(queries, rows, scores, strict=True):
            alone, its_own = store.search(query[None], 12, among)
            assert its_scores == pytest.approx(its_own[0], abs=1e-6)
            assert its_rows.tolist() == alone[0].tolist()


def test_many_threads_at_once(make: Make) -> None:
    rng = np.random.default_rng(0)
    store = make(unit(rng.normal(size=(2000, 32))))
    queries = unit(rng.normal(size=(40, 32)))
    alone = [store.search(query[None], 20)[0].tolist() for query in queries]
    with ThreadPoolExecutor(8) as threads:
        together = threads.map(lambda query: store.search(query[None], 20)[0].tolist(), [*queries] * 5)
        assert list(together) == alone * 5


@pytest.mark.parametrize("seed", range(10))
def test_half_equals_flat_below_float16_resolution(seed: int) -> None:
    rng = np.random.default_rng(seed)
    middle = unit(rng.normal(size=64))
    vectors = unit(middle + rng.normal(size=(3000, 64)) * 1e-4)  # closer than float16 resolution
    query = unit(middle + rng.normal(size=64) * 0.02)
    expected, expected_scores = FlatStore(vectors).search(query[None], 10)
    rows, scores = Float16Store(vectors).search(query[None], 10)
    assert np.array_equal(scores, expected_scores)
    above = scores > scores[:, -1:]  # ties for the last place may resolve either way
    assert np.array_equal(rows[above], expected[above])
    rough, _ = Float16Store(vectors)._rough(query, 10, range(3000))
    assert set(rough) != set(expected[0])  # exact scores were needed


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


def test_half_rescores_only_few_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(float16_store, "SPARE", 32)
    compared = []
    exactly = float16_store.rescored
    monkeypatch.setattr(float16_store, "rescored", lambda *given: compared.append(len(given[2])) or exactly(*given))
    rng = np.random.default_rng(0)
    Float16Store(unit(rng.normal(size=(20_000, 64)))).search(unit(rng.normal(size=(3, 64))), 10)
    assert compared == [42, 42, 42]


def test_flat_does_not_copy_the_vectors(tmp_path) -> None:
    given = unit(np.random.default_rng(0).normal(size=(500, 8)))
    np.save(tmp_path / "vectors.npy", given)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r+")
    store = FlatStore(np.asarray(mapped))
    mapped[7] = 2 * given[3]
    assert store.search(given[3:4], 2)[0].tolist() == [[7, 3]]


def test_auto_chooses_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "FLAT_ROWS", 100)
    vectors = unit(np.random.default_rng(0).normal(size=(101, 8)))
    assert isinstance(open_store("auto", Material(vectors[:100])), FlatStore)
    assert isinstance(open_store("auto", Material(vectors)), Float16Store)
    assert isinstance(open_store("auto", Material(vectors, make_cells(vectors, quiet))), IvfStore)
    assert isinstance(open_store("flat", Material(vectors, make_cells(vectors, quiet))), FlatStore)


def test_unknown_store() -> None:
    material = Material(np.eye(4, dtype=np.float32))
    with pytest.raises(IndexProblem, match="BOXFIND_STORE=cells"):
        open_store("cells", material)
    with pytest.raises(IndexProblem, match="BOXFIND_MILVUS_URI"):
        open_store("milvus", material)
    with pytest.raises(UnknownName, match="auto, cells, flat, half, milvus"):
        open_store("round", material)
