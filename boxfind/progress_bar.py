"""A terminal progress bar with count, rate and time left of the current stage."""

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class TerminalProgress(Progress):
    """A progress callback that draws a bar; use it as a context manager."""

    def __init__(self, console: Console) -> None:
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,  # keep bars out of logs and pipes
        )
        self.bar = self.add_task("Starting", total=None, rate="")
        self.stage, self.began, self.done_before = "", time.perf_counter(), 0

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self.stage:
            self.stage, self.began, self.done_before = stage, time.perf_counter(), done
            self.reset(self.bar, completed=done)
        seconds = time.perf_counter() - self.began
        rate = f"{(done - self.done_before) / seconds:.0f}/s" if done and seconds > 1 else ""
        self.update(self.bar, description=stage, completed=done, total=total or None, rate=rate)
