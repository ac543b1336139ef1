"""Networks as the processes of a Ray cluster make them in tests; some end their process, as a crash would."""

import os
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from retrieval.descriptors.embedder import Embedder
from tests.tiny import TINY_EMBEDDER, tiny_run


def tiny() -> Embedder:
    return TINY_EMBEDDER


def dies_once(flag: Path) -> Embedder:
    """Its process is killed when it looks at its third picture, unless that has happened before."""
    return replace(TINY_EMBEDDER, run=partial(_dies_once, flag, []))


def dies_of(pixel: tuple[int, int, int]) -> Embedder:
    """Its process is killed by every picture that has this pixel in its corner."""
    return replace(TINY_EMBEDDER, run=partial(_dies_of, pixel))


def _dies_once(flag: Path, seen: list[int], pixels: np.ndarray) -> tuple[np.ndarray]:
    seen.append(1)
    if len(seen) == 3 and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return tiny_run(pixels)


def _dies_of(pixel: tuple[int, int, int], pixels: np.ndarray) -> tuple[np.ndarray]:
    if tuple(pixels[0, 0, 0].tolist()) == pixel:
        os.kill(os.getpid(), signal.SIGKILL)
    return tiny_run(pixels)
