"""Places and turns are shared among clients, whatever one of them does."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest

from boxfind import fair_turns
from boxfind.fair_turns import FairPlaces, FairTurns, client_of
from retrieval.errors import Busy


class Stage:
    """Clients whose turns end when the test says so; records who ran, in order."""

    def __init__(self, turns: FairTurns, pool: ThreadPoolExecutor) -> None:
        self.turns, self.pool, self.now = turns, pool, 0.0
        self.ran: list[str] = []
        self.ends: dict[str, threading.Event] = {}

    def come(self, client: str, name: str) -> Future:
        """Ask for a turn; returns when it runs, waits or is refused."""
        before = self.standing()
        self.ends[name] = threading.Event()
        asked = self.pool.submit(self._turn, client, name)
        while self.standing() == before and not asked.done() and name not in self.ran:
            time.sleep(0.001)
        return asked

    def leave(self, name: str, asked: Future, after: float = 1.0) -> None:
        """End a running turn, `after` seconds of its clock."""
        self.now += after
        self.ends[name].set()
        asked.result(10)

    def standing(self) -> tuple:
        with self.turns._lock:
            return *self.turns._waiting, len(self.ran)

    def _turn(self, client: str, name: str) -> None:
        with self.turns.hold(client):
            self.ran.append(name)
            assert self.ends[name].wait(20)


@pytest.fixture
def stage():
    made = []

    def on(at_once: int, **limits) -> Stage:
        made.append(Stage(FairTurns(at_once, clock=lambda: made[-1].now, **limits), pool))
        return made[-1]

    with ThreadPoolExecutor(60) as pool:
        yield on
        for one in made:
            for end in one.ends.values():
                end.set()


def run_all(stage: Stage, asked: dict[str, Future], after: dict[str, float]) -> list[str]:
    """End the running turns one by one; returns the order in which they ran."""
    first = len(stage.ran) - 1
    for number in range(first, first + len(asked)):
        while len(stage.ran) <= number:
            time.sleep(0.001)
        name = stage.ran[number]
        stage.leave(name, asked[name], after[name[0]])
    return stage.ran[first:]


def test_r63_clients_take_turns_however_many_requests_one_sends(stage):
    on = stage(1)
    asked = {name: on.come(name[0], name) for name in ("a0", "a1", "a2", "a3", "b0", "b1", "c0")}
    assert run_all(on, asked, dict.fromkeys("abc", 1.0)) == ["a0", "b0", "c0", "a1", "b1", "a2", "a3"]


def test_r58_after_a_slow_turn_a_client_waits_for_all_others(stage):
    on = stage(1)
    asked = {name: on.come(name[0], name) for name in ("s0", "s1", "a0", "a1", "a2", "b0")}
    assert run_all(on, asked, {"s": 8.0, "a": 1.0, "b": 1.0}) == ["s0", "a0", "b0", "a1", "a2", "s1"]


def test_r63_a_client_that_comes_later_has_no_advantage(stage):
    on = stage(1)
    asked = {name: on.come(name[0], name) for name in ("a0", "a1")}
    on.leave("a0", asked.pop("a0"), after=20.0)
    asked |= {name: on.come("b", name) for name in ("b0", "b1", "b2", "b3")}
    assert run_all(on, {"a1": asked.pop("a1")} | asked, dict.fromkeys("ab", 1.0)) == ["a1", "b0", "b1", "b2", "b3"]


def test_r58_one_client_leaves_a_turn_to_others(stage):
    on = stage(2, spare=1)
    first, second = on.come("a", "a0"), on.come("a", "a1")
    assert on.ran == ["a0"]
    other = on.come("b", "b0")
    assert on.ran == ["a0", "b0"]
    on.leave("b0", other)
    assert on.ran == ["a0", "b0"]
    on.leave("a0", first)
    on.leave("a1", second)
    assert on.ran == ["a0", "b0", "a1"]


def test_r63_in_a_full_queue_the_greediest_client_gives_way(stage):
    on = stage(1, waiting=4)
    asked = {name: on.come(name[0], name) for name in ("a0", "a1", "a2", "a3", "a4")}
    with pytest.raises(Busy):
        on.come("a", "a5").result(10)
    asked["b0"] = on.come("b", "b0")
    with pytest.raises(Busy, match="others"):
        asked.pop("a4").result(10)
    asked["c0"] = on.come("c", "c0")
    with pytest.raises(Busy, match="others"):
        asked.pop("a3").result(10)
    assert run_all(on, asked, dict.fromkeys("abc", 1.0)) == ["a0", "b0", "c0", "a1", "a2"]


def test_waiting_ends_after_the_time_limit_and_leaves_nothing_behind():
    turns = FairTurns(1, waiting=1, seconds=0.01)
    with turns.hold("a"):
        for _ in range(3):
            with pytest.raises(Busy, match="in time"), turns.hold("b"):
                pass
    with turns.hold("b"):
        pass
    assert not turns._waiting and not turns._running and not turns._queue._held


def test_a_turn_that_fails_is_given_back(stage):
    turns = FairTurns(1)
    with pytest.raises(ZeroDivisionError), turns.hold("a"):
        _ = 1 / 0
    with turns.hold("b"):
        pass


def test_many_threads_never_exceed_the_limit():
    turns, inside, most = FairTurns(3, waiting=200), [], []

    def work(number: int) -> None:
        with turns.hold(str(number % 7)):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.001)
            inside.remove(number)

    with ThreadPoolExecutor(40) as pool:
        done = [pool.submit(work, number) for number in range(150)]
    wait(done)
    assert not [one.exception() for one in done if one.exception()] and max(most) <= 3 and not turns._queue._held


def test_r63_places_are_taken_from_the_client_with_most_and_never_from_equals():
    places, lost = FairPlaces(4), []
    held = [places.take("a", lambda n=n: lost.append(n)) for n in range(4)]
    with pytest.raises(Busy):
        places.take("a", lambda: None)
    places.take("b", lambda: lost.append("b"))
    assert lost == [3]
    places.take("b", lambda: lost.append("b"))
    assert lost == [3, 2]
    with pytest.raises(Busy):
        places.take("b", lambda: None)
    places.take("c", lambda: None)
    assert lost == [3, 2, 1]
    for place in held:
        places.leave(place)
        places.leave(place)
    assert places.take("d", lambda: None)


def test_when_nobody_waits_all_is_forgiven():
    turns = FairTurns(1)
    for number in range(20):
        with turns.hold(str(number)):
            pass
    assert not turns._used


def test_r63_a_server_that_is_never_idle_remembers_few_clients(monkeypatch):
    monkeypatch.setattr(fair_turns, "MAX_CLIENTS", 10)
    now = 0.0
    turns = FairTurns(2, clock=lambda: now)
    with turns.hold("always"):
        for number in range(100):
            with turns.hold(str(number)):
                now += 1
        assert len(turns._used) == 10 and "99" in turns._used
        for _ in range(2):
            with turns.hold("99"):
                now += 1
        assert [*turns._used] == ["99"], "the others have used no more than it had before"


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        (None, ""),
    ],
)
def test_a_client_is_what_a_visitor_cannot_multiply(address, client):
    assert client_of(address) == client
