"""Everything that decides what a descriptor means; stored with every index and compared before every search."""

from dataclasses import dataclass

LEARNED = "learned"


@dataclass(frozen=True)
class Tuning:
    """Values of a recipe that were measured once and hold for every gallery; only benchmarks and tests change them."""

    query_side: int = 280
    query_views: tuple[float, ...] = (0.64, 1.0)
    dedup_similarity: float = 0.95
    mid_layer_weight: float = 0.5
    dimensions: int = 256


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
    """The least side, in pixels, that a crop is taken to have before it is scaled for its views."""
    query_views: tuple[float, ...]
    """The scales, against that of the gallery, at which a crop goes through the network."""
    regions: tuple[str, ...]
    """Where regions come from, in this order; a later one that shows what an earlier one shows is dropped."""
    detectors: tuple[str, ...]
    """The SHA-256 of the weights by which each of these finds regions; empty for those that need none."""
    grid_levels: int
    dedup_similarity: float
    """A region is dropped when a larger one of its image has a descriptor more similar than this."""
    pooling: str
    mid_layer_weight: float
    """The weight of the network's finer layer beside its last one."""
    whitening: str
    """`learned` from the gallery itself, `none`, or the SHA-256 of a fine-tuned head that takes its place."""
    dimensions: int
    """Length of a stored vector; fewer when the gallery is too small to learn that many."""
    precision: str
