"""Call a function in a process of its own, and measure the memory of that process and of those it starts."""

from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import psutil

T = TypeVar("T")
PAUSE = 0.5
"""Seconds between two looks at the memory."""


class ProcessFailed(Exception):
    """The function raised an error, or its process ended without a result; the message says which."""


def in_measured_process(work: Callable[..., T], *given: object) -> tuple[T, int]:
    """Call `work`, which a new process must be able to import.

    Returns its result, and the most bytes that the processes had at one time; pages that they share count once. Raises
    ProcessFailed.
    """
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(sender, work, given))
    process.start()
    sender.close()
    assert process.pid is not None
    most = 0
    try:
        while not receiver.poll(PAUSE):
            most = max(most, _memory(process.pid))
        result, problem = receiver.recv()
    except EOFError:
        result, problem = None, "its process ended without a result"
    except BaseException:  # the user stops the run
        process.kill()
        raise
    process.join()
    if problem:
        raise ProcessFailed(problem)
    return result, most


def _call(sender: Connection, work: Callable[..., Any], given: tuple[object, ...]) -> None:
    try:
        sender.send((work(*given), ""))
    except Exception as error:
        sender.send((None, f"{type(error).__name__}: {error}"))


def _memory(pid: int) -> int:
    """Bytes of a process and those it has started, as proportional set size where the system knows it."""
    most = 0
    try:
        parent = psutil.Process(pid)
        for one in (parent, *parent.children(recursive=True)):
            memory = one.memory_full_info()
            most += getattr(memory, "pss", memory.rss)
    except psutil.Error:  # one of them has just ended
        return 0
    return most
