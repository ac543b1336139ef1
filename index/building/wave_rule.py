"""Decide when a build publishes what it has read so far."""

from dataclasses import dataclass

SECONDS_OF_PICTURE = 0.002
"""Seconds that a wave is expected to take for each picture, if none was measured to take more."""
SECONDS_OF_ANY = 5.0
"""Seconds that even a small wave may take, mostly to learn a whitening."""


@dataclass(frozen=True, slots=True)
class WaveTimes:
    """When waves come."""

    first: float = 30.0
    """Seconds of reading before the first one."""
    growth: float = 1.5
    """The pictures that a build has added must have grown by this factor since the last wave."""
    share: float = 0.1
    """Upper limit of the time that all waves take, as a share of the time between them."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a build has come."""

    seconds: float
    """Since the first picture was about to be read."""
    read: int
    """Files read since then."""
    left: int
    """Files still to read, and those whose keypoints are found later, which takes as long."""
    added: int
    """Pictures of a wave that the index before the build lacks."""
    pictures: int
    """Pictures that a wave would have."""
    detailed: int = 0
    """Pictures whose keypoints have been found since they were described."""

    @property
    def seconds_left(self) -> float:
        return self.seconds * self.left / self.read if self.read else 0.0


class WaveRule:
    """The first wave comes after some seconds of reading, later ones when what was added, or the details, have grown.

    A wave must pay: it is expected to take at most `share` of the reading that is left, and what it took is at most
    `share` of the time until the next one. So all waves take about that share of a build at most. There is none if less
    reading is left than the wait for the first one.
    """

    def __init__(self, times: WaveTimes, added: int = 0) -> None:
        """`added`: pictures of a wave of an earlier build that is served."""
        self._times, self._added, self._detailed = times, added, 0
        self._ended, self._took, self._pictures = 0.0, 0.0, 0

    def is_due(self, reading: Reading, all_read: bool = False) -> bool:
        """`all_read`: no later one can have more pictures, so that only their details grow from the next one on."""
        times = self._times
        growth = 1.0 if all_read else times.growth
        has_grown = reading.added > self._added * growth
        if all_read:
            has_grown = has_grown or reading.detailed > self._detailed * times.growth
        if reading.seconds < times.first or not has_grown:
            return False
        has_paused = reading.seconds - self._ended >= self._took / times.share
        return has_paused and reading.seconds_left >= max(times.first, self._expected(reading) / times.share)

    def record(self, reading: Reading, seconds: float, is_published: bool) -> None:
        """A wave of `reading` took so long, or could not be published."""
        self._added = max(self._added, reading.added)
        self._detailed = max(self._detailed, reading.detailed)
        self._ended, self._took = reading.seconds + seconds, seconds
        if is_published:
            self._pictures = reading.pictures

    def _expected(self, reading: Reading) -> float:
        """Seconds that a wave would take: as long as the last one, and more for more pictures."""
        measured = (self._took - SECONDS_OF_ANY) / max(self._pictures, 1)
        return self._took + max(SECONDS_OF_PICTURE, measured) * (reading.pictures - self._pictures)
