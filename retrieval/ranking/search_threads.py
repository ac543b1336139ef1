"""The threads that all searches of this process share."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache

from retrieval.blas_threads import one_thread_each
from retrieval.cpus import cpu_count
from retrieval.ranking.keypoints import use_one_thread

THREADS = min(cpu_count(), 4)
"""Nearly all of their work releases the GIL."""


@cache
def search_threads() -> ThreadPoolExecutor:
    """THREADS threads. Their tasks must not wait for other tasks."""
    use_one_thread()
    return ThreadPoolExecutor(THREADS, "search", one_thread_each)
