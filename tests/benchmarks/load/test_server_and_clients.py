"""Clients of the API who come back when they are told to, and how long a queue may be."""

import threading
import time

import pytest

from benchmarks.load import server_and_clients
from benchmarks.load.engine_away import Outage
from benchmarks.load.server_and_clients import CLIENTS, Alone, Response, Server
from boxfind.evaluation.dataset import BoxedQuery

HITS, AWAY, BUSY = (Response(status, "", again, 0.1, 1.0) for status, again in ((200, 0), (503, 5), (503, 0)))


@pytest.mark.parametrize(("busy", "queue"), [(2.0, CLIENTS), (1.0, CLIENTS / 2), (0.0, 1)])
def test_a_queue_is_as_long_as_the_cores_explain(monkeypatch, busy, queue):
    monkeypatch.setattr(server_and_clients, "cpu_count", lambda: 2)
    assert Alone([], busy).queue == queue


def test_who_works_keeps_a_core_busy_and_who_sleeps_does_not(monkeypatch, tmp_path):
    def cores(passing) -> float:
        def search(*_) -> Response:
            end = time.monotonic() + 0.3
            while time.monotonic() < end:
                passing()
            return HITS

        monkeypatch.setattr(Server, "search", search)
        return Server("", 0).ask_alone([BoxedQuery("a", tmp_path, None)]).cores

    assert cores(lambda: time.sleep(0.1)) < cores(lambda: None) < 1.2


def test_a_client_asks_again_after_as_many_seconds_as_it_is_told(monkeypatch, tmp_path):
    waited, said, answers = [], iter([AWAY, AWAY, HITS, BUSY, HITS]), []
    monkeypatch.setattr(Server, "search", lambda *_: next(said))
    here = threading.get_ident()  # other threads sleep as well
    monkeypatch.setattr(
        server_and_clients.time, "sleep", lambda s: waited.append(s) if threading.get_ident() == here else None
    )
    Server("", 0).ask([BoxedQuery(name, tmp_path, None) for name in "abc"], answers)
    assert answers == [AWAY, AWAY, HITS, BUSY, HITS] and waited == [5, 5]


def test_what_is_neither_hits_nor_a_refusal_with_its_time_is_told_apart():
    outage = Outage(Alone([HITS], 1), [HITS, AWAY, BUSY], 0.0, Alone([HITS], 1), 1.0)
    assert (outage.hits, outage.refusals, outage.others) == ([HITS], [AWAY], [BUSY])
