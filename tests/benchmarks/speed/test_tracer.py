"""Stages add up, nested stages count separately, and no function stays wrapped."""

import threading
from types import SimpleNamespace

import pytest

from benchmarks.speed import tracer as traced
from benchmarks.speed.tracer import Hook, Tracer


class Clock:
    """A clock that advances only by simulated work."""

    def __init__(self):
        self.now = 100.0

    def perf_counter(self):
        return self.now

    def work(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(traced, "time", made)
    return made


@pytest.fixture
def module(clock):
    """A module whose outer function works 1 second and calls the inner one twice, 3 seconds each."""
    made = SimpleNamespace(inner=lambda: clock.work(3))

    def outer():
        made.inner()
        clock.work(1)
        made.inner()
        return "done"

    made.outer = outer
    return made


def test_nested_stages_count_separately(clock, module):
    tracer = Tracer()
    with tracer.watching([Hook("outside", module, "outer"), Hook("inside", module, "inner")]), tracer.stage("all"):
        assert module.outer() == "done"
        clock.work(5)
    assert tracer.calls == {"all": 1, "outside": 1, "inside": 2}
    assert tracer.seconds == {"all": 5, "outside": 1, "inside": 6}


def test_a_failed_stage_is_closed(clock, module):
    tracer = Tracer()
    module.inner = lambda: 1 / 0
    with tracer.stage("all"):
        with tracer.watching([Hook("inside", module, "inner")]), pytest.raises(ZeroDivisionError):
            module.outer()
        clock.work(2)
        with tracer.stage("next"):
            clock.work(1)
    assert tracer.seconds == {"all": 2, "inside": 0, "next": 1}


def test_other_threads_do_not_count(module):
    tracer = Tracer()
    with tracer.watching([Hook("inside", module, "inner")]):
        thread = threading.Thread(target=module.outer)
        thread.start()
        thread.join()
    assert not tracer.calls


def test_functions_are_restored(module):
    inner = module.inner
    with Tracer().watching([Hook("inside", module, "inner")]):
        assert module.inner is not inner
    assert module.inner is inner


def test_a_missing_function_raises(module):
    with pytest.raises(AttributeError), Tracer().watching([Hook("gone", module, "gone")]):
        pass


def test_forget_resets_all_counters(clock):
    tracer = Tracer()
    with tracer.stage("before"):
        clock.work(1)
    tracer.forget()
    assert not tracer.seconds
    assert not tracer.calls
