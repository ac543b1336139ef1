"""What a backbone is: a network that gives two feature maps, with its weights, preprocessing version and licence."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.networks.network_names import file_stem
from retrieval.networks.weights import Weights
from retrieval.optional_packages import OptionalPackage
from retrieval.types import Vectors

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Backbone:
    """A network that turns uint8 pixels (N, H, W, 3) into two feature maps (N, C, h, w). `make` takes the weights file.

    The first is the last layer and is semantic. The second shows finer appearance: of a CNN, the last layer at half the
    stride; of a vision transformer, an earlier block.
    """

    name: str
    """LIBRARY:MODEL; only the bundled network has no library."""
    make: Callable[[Path], "nn.Module"]
    weights: Weights
    channels: tuple[int, int]
    preprocessing: int
    """Version number. Increase it when resizing or normalisation changes, because vectors then no longer compare."""
    licence: str
    """Licence of the code and of the weights, unless docs/models.md says otherwise."""
    needs: OptionalPackage | None = None
    text: Callable[[Path], Callable[[str], Vectors]] | None = None
    """Weights file -> (sentence -> unit vector in the space of the first layer); None without a text encoder."""
    stride: int = 32
    """Pixels per cell of the first layer, in both directions."""
    signed: bool = False
    """Whether the first layer has negative values, which generalised-mean pooling would lose."""
    companions: tuple[Weights, ...] = ()
    """Further files that it needs, such as those of a tokenizer."""

    @property
    def file_stem(self) -> str:
        """Its name as part of the names of files."""
        return file_stem(self.name)
