"""Options common to all runtimes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

Make = Callable[[], "nn.Module"]
"""Builds the torch network. Called only when needed, because importing torch takes seconds."""

FULL = "float32"
"""The precision that every runtime supports."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Precision, parallelism and disk cache of a runtime."""

    precision: str = FULL
    streams: int = 1
    """Inferences computed in parallel."""
    threads: int = 0
    """CPU threads to compute with; 0 for all."""
    converted: Path | None = None
    """Cache file for the converted network; None for no cache."""
    stride: int = 32
    """Of the network. Its input has sides that are multiples of it."""
    proven: bool = True
    """Whether networks like this one are known to convert well; else a converted one is compared with the original."""
    fixed_sizes: int = 0
    """How many frequent image sizes get a compiled network of their own, on runtimes that are faster with it."""
