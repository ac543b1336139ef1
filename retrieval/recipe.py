"""Everything that decides what a descriptor means; stored with every index and compared before every search."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """Two vectors may be compared only when the recipes that made them are equal."""

    backbone: str
    weights_sha256: str
    preprocessing: int
    """Version of how pixels are resized and normalised before the network."""
    side: int
    """Longest side, in pixels, at which a gallery image goes through the network."""
    query_side: int
    """The least longest side, in pixels, at which the crop that is searched for goes through the network."""
    regions: tuple[str, ...]
    grid_levels: int
    pooling: str
    dimensions: int
    """Length of a stored vector; fewer when the gallery is too small to learn that many."""
    precision: str
