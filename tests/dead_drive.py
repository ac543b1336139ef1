"""A drive of which no operation comes back, as of a network that is gone, until it is connected again."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from boxfind import settings_schema
from index.storage import time_limit


class DeadDrive:
    """While a test lasts, or until `connected` is set, the system does not answer about `folder` and what is in it.

    The main thread, which would wait for ever, fails instead.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, answers: float = 0.3) -> None:
        self.folder, self.connected = folder, threading.Event()
        monkeypatch.setattr(time_limit, "ANSWERS", answers)
        monkeypatch.setattr(settings_schema, "_silent", {})
        for name in ("stat", "lstat", "scandir", "listdir", "readlink"):
            monkeypatch.setattr(os, name, self._waiting(getattr(os, name)))

    def _waiting(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def asked(path: Any = ".", *given: Any, **named: Any) -> Any:
            if isinstance(path, str | Path) and Path(path).is_relative_to(self.folder):
                on_main_thread = threading.current_thread() is threading.main_thread()
                assert not on_main_thread or self.connected.is_set(), f"the main thread waits for {path}"
                self.connected.wait(60)
            return work(path, *given, **named)

        return asked
