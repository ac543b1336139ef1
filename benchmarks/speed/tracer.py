"""Where the time of a call goes, measured from the outside: functions are wrapped while it is looked at."""

import functools
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Hook:
    """A function that belongs to a stage, by the module or class where it is looked up."""

    stage: str
    owner: Any
    name: str


class Tracer:
    """Seconds and calls of each stage, in the thread that made it. A stage within a stage counts for itself only."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        self._thread = threading.get_ident()
        self._within: list[float] = []  # seconds of the stages inside each stage that is under way

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        self._within.append(0.0)
        try:
            yield
        finally:
            took = time.perf_counter() - began
            self.seconds[name] += took - self._within.pop()
            self.calls[name] += 1
            if self._within:
                self._within[-1] += took

    def timed(self, stage: str, function: Function) -> Function:
        """The same function, whose calls count for a stage."""

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() != self._thread:
                return function(*args, **kwargs)
            with self.stage(stage):
                return function(*args, **kwargs)

        return call

    @contextmanager
    def watching(self, hooks: Iterable[Hook]) -> Iterator[None]:
        """While it lasts, calls of those functions are counted. Raises AttributeError where one is not there."""
        with ExitStack() as stack:
            for hook in hooks:
                timed = self.timed(hook.stage, getattr(hook.owner, hook.name))
                stack.enter_context(mock.patch.object(hook.owner, hook.name, timed))
            yield

    def forget(self) -> None:
        """Everything so far."""
        self.seconds.clear()
        self.calls.clear()
