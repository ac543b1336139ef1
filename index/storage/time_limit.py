"""Do not wait for a drive or a network that does not answer."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

ANSWERS = 10.0
"""Seconds after which a folder that is needed counts as one that does not answer: a disk may have to spin up."""


def result_within(seconds: float, work: Callable[[], T], otherwise: T) -> T:
    """The result of `work`, or `otherwise` if it raises OSError or takes longer; it then ends in the background.

    Raises what else `work` raises.
    """
    found, raised = list[T](), list[Exception]()

    def run() -> None:
        try:
            found.append(work())
        except OSError:
            pass
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run, name="work with a time limit", daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    return found[0] if found else otherwise


def answers(path: Path) -> bool:
    """Whether it can be said if a path exists. Takes ANSWERS at most."""
    return result_within(ANSWERS, lambda: os.path.exists(path) or True, otherwise=False)
