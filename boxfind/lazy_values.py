"""A thread-safe cache of expensive values; each is made once, outside the lock."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LazyValues(Generic[K, V]):
    """The `keep` most recently used values by key. Only threads that need a value wait for it."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self._values: dict[K, Future[V]] = {}

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Return the value of a key; the first caller makes it.

        Errors of `make` reach all waiting callers and are not cached.
        """
        with self._lock:
            future = self._values.pop(key, None)
            first = future is None
            future = self._values[key] = future or Future()
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
