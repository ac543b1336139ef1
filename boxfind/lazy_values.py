"""Values that take long to make: each is made once, and only those who need it wait for it."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LazyValues(Generic[K, V]):
    """The last `keep` values by key. Many threads may ask; a value is made outside any lock."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self._values: dict[K, Future[V]] = {}

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of a key, made by the first who asks. What `make` raises is raised, and nothing is kept."""
        with self._lock:
            future = self._values.get(key)
            first = future is None
            if future is None:
                future = self._values[key] = Future()
                for oldest in list(self._values)[: -self._keep]:
                    del self._values[oldest]
        if first:
            try:
                future.set_result(make())
            except BaseException as error:
                with self._lock:
                    if self._values.get(key) is future:
                        del self._values[key]
                future.set_exception(error)
        return future.result()
