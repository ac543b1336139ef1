"""API clients honour Retry-After."""

import threading

import httpx

from benchmarks import api_clients
from benchmarks.api_clients import Response, Server
from boxfind.evaluation.dataset import BoxedQuery

ACCEPTED, AWAY, FAILED = (Response(status, "", after, 0.1, 1.0) for status, after in ((200, 0), (503, 5), (503, 0)))


def test_a_client_repeats_a_search_after_retry_after(monkeypatch, tmp_path):
    responses, waited = iter([AWAY, AWAY, ACCEPTED, FAILED, ACCEPTED]), []
    monkeypatch.setattr(Server, "search", lambda *_: next(responses))
    monkeypatch.setattr(api_clients.time, "sleep", lambda s: waited.append(s) if s == 5 else None)
    found = Server("", 0, httpx.Client()).search_all([BoxedQuery(name, tmp_path, None) for name in "abc"])
    assert found == [AWAY, AWAY, ACCEPTED, FAILED, ACCEPTED]
    assert waited == [5, 5]


def test_all_clients_search_at_the_same_time(monkeypatch, tmp_path):
    barrier = threading.Barrier(4, timeout=10)

    def search(*_) -> Response:
        barrier.wait()
        return ACCEPTED

    monkeypatch.setattr(Server, "search", search)
    queries = [BoxedQuery(str(n), tmp_path, None) for n in range(8)]
    with Server("", 0, httpx.Client()).concurrent_searches(queries, clients=4) as responses:
        pass
    assert responses == [ACCEPTED] * 8
