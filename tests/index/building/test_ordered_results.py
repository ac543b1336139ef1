"""Results come in the order of their tasks, whichever is ready first."""

import threading
from contextlib import closing

import pytest

from index.building.ordered_results import AHEAD, ordered_results

SOON = 10


def test_results_follow_the_order_of_the_tasks():
    second_is_done = threading.Event()

    def work(task: int) -> int:
        if task == 0:
            assert second_is_done.wait(SOON)
        if task == 1:
            second_is_done.set()
        return task * task

    assert list(ordered_results(work, range(50), 2)) == [(n, n * n) for n in range(50)]


def test_only_some_tasks_are_taken_ahead():
    taken = []

    def tasks():
        for number in range(1000):
            taken.append(number)
            yield number

    with closing(ordered_results(str, tasks(), 3)) as results:
        assert next(results) == (0, "0")
        assert len(taken) == AHEAD * 3 + 1
    assert len(taken) == AHEAD * 3 + 1


def test_after_closing_no_task_begins():
    begun, go_on = [], threading.Event()

    def work(task: int) -> int:
        begun.append(task)
        if task:
            assert go_on.wait(SOON)
        return task

    results = ordered_results(work, range(100), 1)
    assert next(results) == (0, 0)
    threading.Timer(0.05, go_on.set).start()
    results.close()
    assert begun in ([0], [0, 1])


def test_an_error_is_raised_in_its_place():
    results = ordered_results(lambda task: 1 // task, [2, 1, 0, 3], 2)
    assert [next(results), next(results)] == [(2, 0), (1, 1)]
    with pytest.raises(ZeroDivisionError):
        next(results)
