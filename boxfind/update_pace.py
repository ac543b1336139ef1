"""When an update that starts by itself is due: after the folder has settled, and ever later if updates fail."""

from dataclasses import dataclass, field

LONGEST_SETTLE = 600.0
"""Seconds after which an update starts although the folder is still changing."""
REST = 30.0
"""Seconds between the end of an update and the next one that starts by itself."""
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3600.0
"""Seconds after an update that failed; they double with each one that fails."""
MOST_NAMES = 100_000
"""Names of changed files that are remembered; more of them are one burst all the same."""


@dataclass(slots=True)
class Pace:
    """When the next update is due: once the folder has settled, and not soon after another one."""

    settle: float
    """Seconds without a change."""
    names: set[str] = field(default_factory=set)
    waiting: bool = False
    """Whether changes are known, or the folder has to be compared."""
    not_before: float = 0.0
    failures: int = 0
    _first: float = 0.0
    _last: float = 0.0

    def notice(self, names: set[str], now: float) -> None:
        """Something has changed, or may have changed if there are no names."""
        if len(self.names) < MOST_NAMES:
            self.names |= names
        if not self.waiting:
            self._first = now
        self.waiting, self._last = True, now

    def due_in(self, now: float) -> float:
        """Seconds until an update is due; only if changes are waiting."""
        rest = min(self._last + self.settle, self._first + LONGEST_SETTLE)
        return max(rest, self.not_before) - now

    def clear(self) -> None:
        """The changes up to now are taken care of."""
        self.names, self.waiting = set(), False

    def succeeded(self, now: float) -> None:
        self.failures, self.not_before = 0, now + REST

    def forgive(self) -> None:
        """What made updates fail may be over."""
        self.failures, self.not_before = 0, 0.0

    def failed(self, now: float) -> None:
        self.not_before = now + min(FIRST_PAUSE * 2**self.failures, LONGEST_PAUSE)
        self.failures += 1
