"""BLAS thread limits hold while bodies overlap and are restored afterwards."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faiss
import pytest

from retrieval import blas_threads as module
from retrieval.blas_threads import in_threads, one_blas_thread
from tests.blas import numpy_threads, numpy_with

BEFORE = 3
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def threads_before():
    with numpy_with(BEFORE):
        yield
        assert numpy_threads() == BEFORE


def test_one_thread_inside_and_the_original_count_afterwards():
    with one_blas_thread():
        assert numpy_threads() == 1
    assert numpy_threads() == BEFORE


def test_r74_blocks_are_shared_among_threads_with_one_blas_thread_each(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "cpu_count", lambda: 2)
    together = threading.Barrier(2, timeout=10)

    def work(number: int) -> tuple[int, int]:
        together.wait()
        return number, numpy_threads()

    assert list(in_threads(work, range(4))) == [(number, 1) for number in range(4)]


def test_closing_drops_the_remaining_blocks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "cpu_count", lambda: 1)
    done, going_on = [], threading.Event()

    def work(number: int) -> None:
        if number:
            going_on.wait(10)
        done.append(number)

    results = in_threads(work, range(100))
    next(results)
    threading.Timer(0.2, going_on.set).start()
    results.close()
    assert len(done) < 100


@pytest.mark.parametrize("leaves_first", [0, 1])
def test_overlapping_bodies_in_two_threads(leaves_first):
    inside, ended = threading.Barrier(2, timeout=10), threading.Event()
    seen = []

    def body(number: int) -> None:
        if number == 1:
            second_may_enter.wait(10)
        with one_blas_thread():
            if number == 0:
                second_may_enter.set()
            inside.wait()
            if number != leaves_first:
                assert ended.wait(10)
                seen.append(numpy_threads())
        if number == leaves_first:
            ended.set()
        alive.wait()  # threadpoolctl obeys the first thread that sets a limit for as long as it lives

    second_may_enter, alive = threading.Event(), threading.Barrier(3, timeout=10)
    with ThreadPoolExecutor(2) as pool:
        bodies = [pool.submit(body, number) for number in (0, 1)]
        while alive.n_waiting < 2 and not any(body.done() for body in bodies):
            threading.Event().wait(0.01)
        after = numpy_threads()
        alive.wait()
        for done in bodies:
            done.result()
    assert seen == [1] and after == BEFORE


def test_nested_bodies():
    with one_blas_thread():
        with one_blas_thread():
            assert numpy_threads() == 1
        assert numpy_threads() == 1


def test_exception_restores_the_count():
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        raise ZeroDivisionError
    assert numpy_threads() == BEFORE


def test_concurrent_bodies_in_many_threads():
    def look() -> set[int]:
        seen = set()
        for _ in range(200):
            with one_blas_thread():
                seen.add(numpy_threads())
        return seen

    with ThreadPoolExecutor(4) as pool:
        assert set().union(*(work.result() for work in [pool.submit(look) for _ in range(4)])) == {1}


def test_library_with_a_count_per_thread_is_limited_in_each_thread():
    def limited() -> tuple[int, int]:
        faiss.omp_set_num_threads(2)
        with one_blas_thread():
            inside = faiss.omp_get_max_threads()
        return inside, faiss.omp_get_max_threads()

    with one_blas_thread(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(limited).result() == (1, 2)


def test_library_loaded_later_is_limited():
    program = """
import numpy
from threadpoolctl import threadpool_info
from retrieval.blas_threads import one_blas_thread

def scipy_threads():
    return {library["num_threads"] for library in threadpool_info() if "scipy.libs" in library["filepath"]}

with one_blas_thread():
    import scipy.linalg
    before = scipy_threads()
    with one_blas_thread():
        print(before, scipy_threads())
print(before == scipy_threads())
"""
    command, environment = [sys.executable, "-c", program], os.environ | {"OPENBLAS_NUM_THREADS": "2"}
    said = subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True)
    if said.stdout.startswith("set()"):
        pytest.skip("SciPy has no BLAS of its own")
    assert said.stdout.split("\n")[:2] == ["{2} {1}", "True"]


def test_threads_of_searches_start_no_openmp_threads():
    """In a process of its own, because the count of a thread cannot be seen from others."""
    code = """
import faiss
from retrieval.ranking.search_threads import search_threads
print(search_threads().submit(faiss.omp_get_max_threads).result(), faiss.omp_get_max_threads())
"""
    environment = os.environ | {"OMP_NUM_THREADS": "3", "PYTHONPATH": str(ROOT)}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["1", "3"]
