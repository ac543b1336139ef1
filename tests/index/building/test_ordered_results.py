"""Results come in the order of their tasks, whichever is ready first."""

import threading
from collections.abc import Generator
from contextlib import closing

import pytest

from index.building.ordered_results import AHEAD, WAITING, ordered_results

SOON = 10


def squared(task: int) -> Generator[int]:
    yield task * task


def test_results_follow_the_order_of_the_tasks():
    second_is_done = threading.Event()

    def work(task: int) -> Generator[int]:
        if task == 0:
            assert second_is_done.wait(SOON)
        if task == 1:
            second_is_done.set()
        yield task * task

    assert list(ordered_results(work, range(50), 2)) == [(n, n * n) for n in range(50)]


def test_a_task_may_have_several_results_or_none():
    def work(task: int) -> Generator[int]:
        yield from range(task)

    assert list(ordered_results(work, range(4), 2)) == [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]


def test_results_of_a_later_task_are_taken_while_the_first_one_waits_for_it():
    many = 3 * WAITING
    second_is_done = threading.Event()

    def work(task: int) -> Generator[int]:
        if task == 0:
            assert second_is_done.wait(SOON)
            yield 0
        else:
            yield from range(many)
            second_is_done.set()

    found = list(ordered_results(work, range(2), 2))
    assert sorted(found) == [(0, 0), *((1, n) for n in range(many))]
    assert [n for task, n in found if task == 1] == list(range(many))


def test_only_some_tasks_are_taken_ahead():
    taken = []

    def tasks():
        for number in range(1000):
            taken.append(number)
            yield number

    with closing(ordered_results(squared, tasks(), 3)) as results:
        assert next(results) == (0, 0)
        assert len(taken) == AHEAD * 3 + 1
    assert len(taken) == AHEAD * 3 + 1


def test_only_some_results_of_a_task_are_made_ahead():
    made, closed = [], threading.Event()

    def work(task: int) -> Generator[int]:
        try:
            for number in range(1000):
                made.append(number)
                yield number
        finally:
            closed.set()

    with closing(ordered_results(work, [0], 1)) as results:
        assert next(results) == (0, 0)
    assert closed.is_set() and len(made) <= WAITING + 2


def test_after_closing_no_task_begins():
    begun, go_on = [], threading.Event()

    def work(task: int) -> Generator[int]:
        begun.append(task)
        if task:
            assert go_on.wait(SOON)
        yield task

    results = ordered_results(work, range(100), 1)
    assert next(results) == (0, 0)
    threading.Timer(0.05, go_on.set).start()
    results.close()
    assert begun in ([0], [0, 1])


def test_an_error_is_raised_in_its_place():
    def work(task: int) -> Generator[int]:
        yield 1 // task

    results = ordered_results(work, [2, 1, 0, 3], 2)
    assert [next(results), next(results)] == [(2, 0), (1, 1)]
    with pytest.raises(ZeroDivisionError):
        next(results)
