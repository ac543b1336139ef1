"""Choose the frames that show the shots of a video: sharp, not blank, different from those chosen before.

Frames come as samples: small copies in colour, and a figure for their sharpness. Few samples of a video are looked at;
the chosen frame itself is kept only until the next one is better or its shot has ended.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from retrieval.images.limits import VIDEO

SMALL = 48, 27
"""Width and height of a sample's small copy."""
CELLS = 16, 9
"""Columns and rows of cells whose mean colours are compared."""
CONTRAST = 40.0
"""Standard deviation of the colours of a frame in even light (of 255)."""
BLANK = 5.0
"""A frame is blank if its grey values deviate less than this from their mean (of 255)."""
CUT = 0.3
"""Least distance of the colour histograms of two frames, 0 to 1, with a cut between them."""
CUT_CELLS = 18.0
"""Least mean difference of their cells (of 255)."""
MOVED = 30.0
"""Mean difference of cells at which a moving camera shows something else."""
SAME, SAME_CELL, SAME_SHARE = 8.0, 24.0, 0.04
"""Two frames are nearly equal if their cells differ by less than SAME on average, and no more than SAME_SHARE of the
cells by more than SAME_CELL (of 255)."""
BRIEF = 0.6
"""Seconds within which everything changes if one scene turns into another."""
SETTLE = 0.2
"""Seconds after a cut whose frames are chosen only if there are no others."""
STEADY = 0.05
"""How much a difference of 1 to the frame before lowers the sharpness; higher in a fade."""

Cells = NDArray[np.float32]
"""(rows, columns, 3): mean colours."""
Frame = TypeVar("Frame")


@dataclass(frozen=True, slots=True)
class Sample(Generic[Frame]):
    """A frame, and what is compared of it."""

    seconds: float
    """From the start of the video, rounded to two decimals."""
    frame: Frame
    small: NDArray[np.uint8]
    """(27, 48, 3) RGB."""
    sharpness: float
    """Mean difference of neighbouring pixels of the full frame."""

    def cells(self) -> Cells:
        """Mean colours of the cells in even light: with the same mean and contrast in every frame."""
        columns, rows = CELLS
        blocks = self.small.reshape(rows, SMALL[1] // rows, columns, SMALL[0] // columns, 3)
        cells = blocks.mean(axis=(1, 3), dtype=np.float32)
        even: Cells = (cells - cells.mean()) * np.float32(CONTRAST / max(float(cells.std()), BLANK))
        return even

    def histogram(self) -> NDArray[np.float64]:
        """Shares of pixels (512,) with a colour of 8 x 8 x 8."""
        bins = (self.small >> 5).reshape(-1, 3) @ np.array([64, 8, 1])
        return np.bincount(bins, minlength=512) / len(bins)

    @property
    def blank(self) -> bool:
        return float(self.small.mean(axis=2).std()) < BLANK


@dataclass(slots=True)
class Pace:
    """How often pictures may follow each other: on average each `interval` seconds, a few at once."""

    interval: float
    longest: float
    """Seconds of a shot after which another picture of it is due."""
    burst: int = VIDEO.burst
    _due: float = -np.inf
    """When the allowance is full again."""

    @classmethod
    def of(cls, seconds: float) -> Self:
        """The pace of a video of this length, so that the pictures of a long one cover all of it."""
        interval = max(60 / (VIDEO.a_minute - VIDEO.burst), seconds / VIDEO.pictures)
        return cls(interval, max(VIDEO.longest_gap, interval))

    def allows(self, seconds: float) -> bool:
        """Whether a picture may be taken at this time; if so, it counts."""
        due = max(self._due, seconds)
        if due - seconds > (self.burst - 1) * self.interval:
            return False
        self._due = due + self.interval
        return True


def difference(one: Cells, other: Cells) -> float:
    """Mean difference of the cells of two frames (of 255)."""
    return float(np.abs(one - other).mean())


def nearly_equal(cells: Cells, others: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether a frame nearly equals each of others. (rows, columns, 3), (N, rows, columns, 3) -> (N,)."""
    differences = np.abs(others - cells).mean(axis=3)
    changed = (differences > SAME_CELL).mean(axis=(1, 2))
    equal: NDArray[np.bool_] = (differences.mean(axis=(1, 2)) < SAME) & (changed <= SAME_SHARE)
    return equal


@dataclass(slots=True)
class _Shot(Generic[Frame]):
    """A shot, or a part of a long one."""

    start: float
    settled: float
    """Time from which frames are taken as they are; those before only if there are no others."""
    cells: Cells
    """Of its first frame."""
    best: Sample[Frame] | None = None
    score: float = -np.inf

    def see(self, sample: Sample[Frame], step: float) -> None:
        """Keep the sample if it is better; `step` is its difference to the one before."""
        score = sample.sharpness / (1 + STEADY * step)
        if sample.seconds < self.settled:
            score -= 1000
        if not sample.blank and score > self.score:
            self.best, self.score = sample, score


@dataclass(slots=True)
class Shots:
    """Finds shots and chooses a frame of each."""

    _kept: list[Cells] = field(default_factory=list)

    def choose(self, samples: Iterable[Sample[Frame]], pace: Pace) -> Iterator[tuple[float, Frame]]:
        """Time and frame of each choice, in order of time."""
        shot: _Shot[Frame] | None = None
        before: tuple[NDArray[np.float64], Cells] | None = None
        for sample in samples:
            histogram, cells = sample.histogram(), sample.cells()
            step = difference(cells, before[1]) if before else 0.0
            cut = before is not None and step > CUT_CELLS and np.abs(histogram - before[0]).sum() / 2 > CUT
            before = histogram, cells
            moved = shot is not None and difference(cells, shot.cells) > MOVED
            if shot is not None and (cut or moved or sample.seconds - shot.start >= pace.longest):
                if cut or sample.seconds - shot.start > BRIEF:  # else one scene turns into another
                    yield from self._take(shot, pace)
                shot = None
            if shot is None:
                settled = sample.seconds + (SETTLE if cut else 0.0)
                shot = _Shot(sample.seconds, settled, cells)
            shot.see(sample, step)
        if shot is not None:
            yield from self._take(shot, pace)

    def _take(self, shot: _Shot[Frame], pace: Pace) -> Iterator[tuple[float, Frame]]:
        if shot.best is None:
            return
        cells = shot.best.cells()
        if self._kept and nearly_equal(cells, np.stack(self._kept)).any():
            return
        if pace.allows(shot.best.seconds):
            self._kept.append(cells)
            yield shot.best.seconds, shot.best.frame
