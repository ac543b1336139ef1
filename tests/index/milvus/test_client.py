"""Milvus that is unavailable, slow, incomplete or locked is reported quickly, and nothing else breaks."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.stores.flat_store import FlatStore
from retrieval.errors import StoreUnavailable
from retrieval.types import Vectors, unit
from tests.lite import LiteServer, filled_collection

pytest.importorskip("pymilvus", reason='pymilvus is not installed: pip install -e ".[milvus]"')
pytest.importorskip("milvus_lite", reason='milvus-lite is not installed: pip install -e ".[milvus]"')

from index.milvus.client import Access, Milvus
from index.milvus.collection import INDEX_TYPES, Collection
from index.stores.milvus_store import MilvusStore

LIMIT = 0.6
QUERY = unit(np.random.default_rng(1).normal(size=16))
ALL = range(600)


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """Twenty clusters of thirty vectors."""
    rng = np.random.default_rng(0)
    return unit(np.repeat(rng.normal(size=(20, 16)), 30, axis=0) + rng.normal(size=(600, 16)) * 0.3)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiteServer]:
    started = LiteServer(tmp_path / "engine")
    yield started
    started.stop()


def store(uri: str, vectors: Vectors, fallback: bool = False, timeout: float = LIMIT) -> MilvusStore:
    access = Access(uri, timeout=timeout, fallback=fallback)
    return MilvusStore(vectors, Collection(Milvus(access), "of_the_test", vectors))


def filled(server: LiteServer, vectors: Vectors, fallback: bool = False) -> MilvusStore:
    """A connected store with all vectors. Only searches have the short limit: a busy machine is slow to fill it."""
    store(server.uri, vectors, timeout=60)._collection.fill({}, lambda *_: None)
    of_the_server = store(server.uri, vectors, fallback)
    of_the_server._collection._milvus.reach()
    return of_the_server


def seconds(ask) -> float:
    began = time.perf_counter()
    with pytest.raises(StoreUnavailable, match="does not answer"):
        ask()
    return time.perf_counter() - began


def same(found, expected) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


def test_r54_an_engine_that_was_never_there(vectors: Vectors) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        unreachable = store(f"http://127.0.0.1:{free.getsockname()[1]}", vectors)
        assert seconds(lambda: unreachable.search(QUERY, 5, ALL)) < 2 * LIMIT + 0.5


def test_r54_an_engine_that_takes_connections_and_says_nothing(vectors: Vectors) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        slow = store(f"http://127.0.0.1:{silent.getsockname()[1]}", vectors)
        with ThreadPoolExecutor(10) as visitors:
            began = time.perf_counter()
            waited = list(visitors.map(lambda _: seconds(lambda: slow.search(QUERY, 5, ALL)), range(10)))
        assert len(waited) == 10 and time.perf_counter() - began < 2 * LIMIT + 0.5  # in parallel, not in sequence
        assert seconds(lambda: slow.search(QUERY, 5, ALL)) < 0.05  # fails fast during the pause


def test_a_rejected_token(vectors: Vectors) -> None:
    import grpc

    class Refusing(grpc.GenericRpcHandler):
        def service(self, _):
            return grpc.unary_unary_rpc_method_handler(
                lambda _, context: context.abort(grpc.StatusCode.UNAUTHENTICATED, "auth check failure")
            )

    refusing = grpc.server(ThreadPoolExecutor(1), handlers=[Refusing()])
    port = refusing.add_insecure_port("127.0.0.1:0")
    refusing.start()
    with pytest.raises(StoreUnavailable, match="rejects BOXFIND_MILVUS_TOKEN"):
        store(f"http://127.0.0.1:{port}", vectors).search(QUERY, 5, ALL)
    refusing.stop(None)


def test_server_errors_are_quoted(lite: Milvus) -> None:
    connection = Milvus(lite.access)
    with pytest.raises(StoreUnavailable, match=r"returned an error: .*nowhere"), connection.client() as client:
        client.query("nowhere", output_fields=["count(*)"], timeout=1)


def test_r54_stopped_in_the_middle_and_back_without_a_restart(server, vectors, monkeypatch) -> None:
    monkeypatch.setattr("index.milvus.client.PAUSE", 0.2)
    searched, expected = filled(server, vectors), FlatStore(vectors).search(QUERY, 5, ALL)
    assert same(searched.search(QUERY, 5, ALL), expected)
    server.stop()
    with ThreadPoolExecutor(10) as visitors:
        began = time.perf_counter()
        list(visitors.map(lambda _: seconds(lambda: searched.search(QUERY, 5, ALL)), range(30)))
        assert time.perf_counter() - began < 6 * LIMIT
    assert searched._collection._milvus.is_unavailable()
    server.start()
    time.sleep(0.3)
    until = time.monotonic() + 5
    while searched._collection._milvus.is_unavailable() and time.monotonic() < until:
        time.sleep(0.1)
    assert same(searched.search(QUERY, 5, ALL), expected)


def test_r54_vectors_of_this_machine_in_place_of_an_engine_that_is_away(server, vectors) -> None:
    searched, exactly = filled(server, vectors, fallback=True), FlatStore(vectors)
    server.stop()
    for among in (ALL, range(100, 300)):
        assert same(searched.search(QUERY, 5, among), exactly.search(QUERY, 5, among))
    assert searched._collection._milvus.is_unavailable()
    server.start()


def test_r54_a_collection_that_is_not_complete_is_never_searched(lite, vectors) -> None:
    for name in (filled_collection(lite, vectors[:300]).name, "nothing_of_this_name"):
        collection = Collection(Milvus(lite.access), name, vectors)
        with pytest.raises(StoreUnavailable, match="does not have all vectors"):
            MilvusStore(vectors, collection).search(QUERY, 5, ALL)


def test_r54_a_file_that_another_process_has(tmp_path: Path, vectors: Vectors) -> None:
    from milvus_lite.db import MilvusLite

    file = tmp_path / "vectors.db"
    with MilvusLite(str(file)), pytest.raises(StoreUnavailable, match="Only one process at a time"):
        store(str(file), vectors).search(QUERY, 5, ALL)


@pytest.mark.parametrize("kind", INDEX_TYPES)
def test_every_index_type_reaches_high_recall_with_exact_scores(lite: Milvus, vectors: Vectors, kind: str) -> None:
    connection = Milvus(replace(lite.access, index=kind))
    searched, exactly = MilvusStore(vectors, filled_collection(connection, vectors)), FlatStore(vectors)
    queries = unit(vectors[::60] + np.random.default_rng(2).normal(size=vectors[::60].shape) * 0.05)
    for among in (ALL, range(50, 550)):
        recalls = []
        for query in queries:
            rows, scores = searched.search(query, 10, among)
            recalls.append(np.isin(exactly.search(query, 10, among)[0], rows).mean())
            assert np.allclose(scores, vectors[rows] @ query, atol=1e-6)
        assert np.mean(recalls) > 0.9


def test_a_search_above_the_milvus_limit_runs_locally(vectors: Vectors, monkeypatch) -> None:
    monkeypatch.setattr("index.stores.milvus_store.MOST", 100)
    searched = store("http://127.0.0.1:1", vectors)  # nothing listens there
    assert same(searched.search(QUERY, 90, ALL), FlatStore(vectors).search(QUERY, 90, ALL))


def test_the_token_is_not_in_the_repr() -> None:
    assert "secret" not in repr(Access("http://127.0.0.1:1", "secret"))
