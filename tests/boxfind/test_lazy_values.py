"""A slow value blocks only the callers that need it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from boxfind.lazy_values import LazyValues

SOON = 10


def test_concurrent_callers_share_one_value():
    once, made, together = LazyValues[str, int](keep=4), [], threading.Barrier(8)

    def make() -> int:
        made.append(threading.get_ident())
        return len(made)

    def ask() -> int:
        together.wait(SOON)
        return once.get("a", make)

    with ThreadPoolExecutor(8) as threads:
        values = [asked.result(SOON) for asked in [threads.submit(ask) for _ in range(8)]]
    assert values == [1] * 8 and len(made) == 1


def test_another_key_does_not_wait():
    once, begun, over = LazyValues[str, str](keep=4), threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        assert over.wait(SOON)
        return "slow"

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(once.get, "a", slow)
        assert begun.wait(SOON)
        assert once.get("b", lambda: "quick") == "quick" and not waiting.done()
        over.set()
        assert waiting.result(SOON) == "slow"


def test_errors_are_not_cached():
    once = LazyValues[str, int](keep=4)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            once.get("a", lambda: 1 // 0)
    assert once.get("a", lambda: 3) == 3


def test_only_the_most_recently_used_values_are_kept():
    once = LazyValues[int, int](keep=2)
    for key in (1, 2, 1, 3):
        once.get(key, lambda key=key: key)
    assert once.get(3, lambda: 30) == 3 and once.get(1, lambda: 10) == 1 and once.get(2, lambda: 20) == 20
