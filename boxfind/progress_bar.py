"""A terminal progress bar with count, rate and time left of the current stage."""

import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class TerminalProgress:
    """A progress callback that draws a bar; use it as a context manager."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def __enter__(self) -> Self:
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,  # keep bars out of logs and pipes
        )
        self.bar.start()
        self.task = self.bar.add_task("Starting", total=None, rate="")
        self.stage, self.began = "", time.perf_counter()
        return self

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self.stage:
            self.stage, self.began = stage, time.perf_counter()
            self.bar.reset(self.task)
        seconds = time.perf_counter() - self.began
        rate = f"{done / seconds:.0f}/s" if done and seconds > 1 else ""
        self.bar.update(self.task, description=stage, completed=done, total=total or None, rate=rate)

    def __exit__(self, *reason: object) -> None:
        self.bar.stop()
