"""What every runtime is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

Make = Callable[[], "nn.Module"]
"""Makes the torch network; called only when it is needed, for importing torch alone takes seconds."""

FULL = "float32"
"""The precision that every runtime has."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a runtime is asked to run: how, by how many threads at a time, and what it may keep on disk."""

    precision: str = FULL
    streams: int = 1
    threads: int = 0
    """Of the processor that it may compute with; 0 for all."""
    converted: Path | None = None
    """Where the converted network is kept between starts; None keeps nothing."""
