"""API clients honour Retry-After; bounds of the queue."""

import threading
import time

import pytest

from benchmarks.load import server_and_clients
from benchmarks.load.engine_away import Outage
from benchmarks.load.server_and_clients import CLIENTS, Alone, Response, Server
from boxfind.evaluation.dataset import BoxedQuery

HITS, AWAY, BUSY = (Response(status, "", again, 0.1, 1.0) for status, again in ((200, 0), (503, 5), (503, 0)))


@pytest.mark.parametrize(("busy", "queue"), [(2.0, CLIENTS), (1.0, CLIENTS / 2), (0.0, 1)])
def test_queue_length_follows_from_busy_cores(monkeypatch, busy, queue):
    monkeypatch.setattr(server_and_clients, "cpu_count", lambda: 2)
    assert Alone([], busy).queue == queue


def test_busy_cores_count_work_and_not_sleep(monkeypatch, tmp_path):
    def cores(passing) -> float:
        def search(*_) -> Response:
            end = time.monotonic() + 0.3
            while time.monotonic() < end:
                passing()
            return HITS

        monkeypatch.setattr(Server, "search", search)
        return Server("", 0).ask_alone([BoxedQuery("a", tmp_path, None)]).cores

    assert cores(lambda: time.sleep(0.1)) < cores(lambda: None) < 1.2


def test_a_client_waits_for_retry_after(monkeypatch, tmp_path):
    waited, said, answers = [], iter([AWAY, AWAY, HITS, BUSY, HITS]), []
    monkeypatch.setattr(Server, "search", lambda *_: next(said))
    here = threading.get_ident()  # other threads sleep too
    monkeypatch.setattr(
        server_and_clients.time, "sleep", lambda s: waited.append(s) if threading.get_ident() == here else None
    )
    Server("", 0).ask([BoxedQuery(name, tmp_path, None) for name in "abc"], answers)
    assert answers == [AWAY, AWAY, HITS, BUSY, HITS] and waited == [5, 5]


def test_outage_separates_hits_refusals_and_other_responses():
    outage = Outage(Alone([HITS], 1), [HITS, AWAY, BUSY], 0.0, Alone([HITS], 1), 1.0)
    assert (outage.hits, outage.refusals, outage.others) == ([HITS], [AWAY], [BUSY])
