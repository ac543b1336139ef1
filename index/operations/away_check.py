"""Tell whether the folder of an index is there, without waiting for a drive or a network that does not answer."""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from index.storage.folder_scan import has_files

SECONDS = 1.0
"""A folder that has not answered after this time counts as away until it does."""
LASTS = 1.0
"""Seconds for which an answer holds: pages ask many times while they are drawn."""


@dataclass(slots=True)
class _Asked:
    """A question to one folder. Its thread ends when the operating system answers, however late."""

    began: float
    answered: threading.Event = field(default_factory=threading.Event)
    away: bool = True
    at: float = 0.0


_asked: dict[str, _Asked] = {}
_lock = threading.Lock()


def is_away(folder: str) -> bool:
    """Whether a folder that held pictures is missing, empty or does not answer: its drive is not connected.

    A drive that is not mounted leaves an empty folder behind. Takes SECONDS at most, and mostly no time: an answer
    holds for LASTS, and a folder that does not answer is not asked again meanwhile. Thread-safe.
    """
    with _lock:
        asked = _asked.get(folder)
        is_new = asked is None or (asked.answered.is_set() and time.monotonic() - asked.at > LASTS)
        if is_new:
            asked = _asked[folder] = _Asked(time.monotonic())
    assert asked is not None
    if is_new:
        threading.Thread(target=_ask, args=[folder, asked], name="away check", daemon=True).start()
    asked.answered.wait(max(0.0, asked.began + SECONDS - time.monotonic()))
    return asked.away


def forget_answers() -> None:
    """Ask again the next time, as after a folder was chosen."""
    with _lock:
        _asked.clear()


def _ask(folder: str, asked: _Asked) -> None:
    asked.away = not has_files(Path(folder))
    asked.at = time.monotonic()
    asked.answered.set()
