"""Treat SIGINT and SIGTERM as a request to cancel the work of a command."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from index.building.cancellation import Cancellation


@contextmanager
def cancelled_by_signals() -> Iterator[Cancellation]:
    """Treat SIGINT and SIGTERM like the command `cancel` while the body runs."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    cancellation = Cancellation()

    def cancel_once(*_: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)  # cleanup must not be interrupted
        cancellation.request()

    before = [signal.signal(number, cancel_once) for number in numbers]
    try:
        yield cancellation
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
