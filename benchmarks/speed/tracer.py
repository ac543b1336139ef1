"""Profile a call by stage, by temporarily wrapping functions."""

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
    """A function of a stage, given by the module or class in which callers look it up."""

    stage: str
    owner: Any
    name: str


class Tracer:
    """Seconds and calls of each stage, in the thread that created the tracer. Nested stages count separately."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        self._thread = threading.get_ident()
        self._within: list[float] = []  # seconds of the stages nested in each open stage

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
        """Wrap a function so that its calls count for a stage."""

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() != self._thread:
                return function(*args, **kwargs)
            with self.stage(stage):
                return function(*args, **kwargs)

        return call

    @contextmanager
    def watching(self, hooks: Iterable[Hook]) -> Iterator[None]:
        """Trace these functions while the context is active. Raises AttributeError if one does not exist."""
        with ExitStack() as stack:
            for hook in hooks:
                timed = self.timed(hook.stage, getattr(hook.owner, hook.name))
                stack.enter_context(mock.patch.object(hook.owner, hook.name, timed))
            yield

    def forget(self) -> None:
        """Reset all counters."""
        self.seconds.clear()
        self.calls.clear()
