"""Test networks for Ray actors; some kill their process to simulate a crash."""

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
    """Kills its process on the third image, once."""
    return replace(TINY_EMBEDDER, run=partial(_dies_once, flag, []))


def dies_of(pixel: tuple[int, int, int]) -> Embedder:
    """Kills its process on every image with this pixel in its top left corner."""
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
