"""Everything that decides what is stored of a picture; kept with every index and compared before every update."""

from collections.abc import Iterable
from dataclasses import dataclass

LEARNED = "learned"
FIELD_NAMES = {
    "backbone": "backbone",
    "weights_sha256": "weights of the backbone",
    "preprocessing": "version of the preprocessing",
    "side": "side of a picture",
    "query_side": "least side of a query",
    "query_views": "scales of a query",
    "regions": "sources of regions",
    "grid_levels": "levels of the grid",
    "dedup_similarity": "similarity of duplicate regions",
    "pooling": "pooling",
    "mid_layer_weight": "weight of the finer layer",
    "whitening": "whitening",
    "dimensions": "dimensions",
    "precision": "precision",
    "keypoints": "keypoints",
}
"""What users call the fields of a recipe; `detectors` are called by the names of their regions."""


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
    """Two vectors may be compared, and two pictures share an index, only when their recipes are equal.

    Thumbnails are made the same way in every index, and class scores by the weights of the backbone.
    """

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
    keypoints: int | None
    """How many are kept of a picture at most; None in an index of an earlier version, which does not say."""


def recipe_changes(before: Recipe, now: Recipe) -> list[str]:
    """What differs, in words: "keypoints changed from 0 to 500"; empty when the recipes are equal."""
    changes = [
        f"{words} changed from {_shown(name, getattr(before, name))} to {_shown(name, getattr(now, name))}"
        for name, words in FIELD_NAMES.items()
        if getattr(before, name) != getattr(now, name)
    ]
    old, new = (dict(zip(recipe.regions, recipe.detectors, strict=False)) for recipe in (before, now))
    return changes + [
        f"weights of {name} changed from {_short(old[name])} to {_short(new[name])}"
        for name in old
        if name in new and old[name] != new[name]
    ]


def _shown(name: str, value: object) -> str:
    if name == "keypoints" and value is None:
        return "an unknown number (the index is of an earlier version)"
    if name in ("weights_sha256", "whitening"):
        return _short(str(value))
    return ", ".join(map(str, value)) if isinstance(value, Iterable) and not isinstance(value, str) else str(value)


def _short(sha256: str) -> str:
    """As much of a hash as people compare; words stay as they are."""
    return sha256[:8] if len(sha256) == 64 else sha256 or "none"
