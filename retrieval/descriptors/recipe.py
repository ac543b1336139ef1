"""The recipe: all parameters that determine an index. Stored with it and compared before every update."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from retrieval.networks.network_names import full_name, short_name

LEARNED = "learned"
FIELD_NAMES = {
    "backbone": "backbone",
    "weights_sha256": "backbone weights",
    "preprocessing": "preprocessing version",
    "side": "image side",
    "query_side": "minimum query side",
    "query_views": "query scales",
    "regions": "region sources",
    "grid_levels": "grid levels",
    "dedup_similarity": "duplicate region similarity",
    "pooling": "pooling",
    "mid_layer_weight": "mid-layer weight",
    "whitening": "whitening",
    "dimensions": "dimensions",
    "precision": "precision",
    "keypoints": "keypoints",
    "tiled_from": "minimum side of pictures with tiles",
    "tiles": "tiles across a picture",
    "stride": "stride of the backbone",
}
"""Field names in messages. `detectors` are named after their region sources."""


@dataclass(frozen=True)
class Tuning:
    """Recipe values tuned once for all galleries. Only benchmarks and tests change them."""

    query_side: int = 280
    query_views: tuple[float, ...] = (0.64, 1.0)
    dedup_similarity: float = 0.95
    mid_layer_weight: float = 0.5
    dimensions: int = 256


@dataclass(frozen=True, slots=True)
class Recipe:
    """The parameters of an index. Vectors are comparable only if their recipes are equal.

    Thumbnails have no parameters. Class scores depend only on the backbone weights.
    """

    backbone: str
    weights_sha256: str
    preprocessing: int
    """Version of how pixels are resized and normalised before the network."""
    side: int
    """Longest side, in pixels, of a gallery image at the network's input."""
    query_side: int
    """Minimum longest side, in pixels, of a query crop before it is scaled by `query_views`."""
    query_views: tuple[float, ...]
    """Scales at which a query crop goes through the network."""
    regions: tuple[str, ...]
    """Region sources, in order; a later region that duplicates an earlier one is dropped."""
    detectors: tuple[str, ...]
    """The SHA-256 of each region source's weights; empty for a source without weights."""
    grid_levels: int
    dedup_similarity: float
    """A region is dropped when its similarity to a larger region of the image is above this."""
    pooling: str
    mid_layer_weight: float
    """Weight of the layer at stride 16, relative to the last layer."""
    whitening: str
    """`learned` (from the gallery), `none`, or the SHA-256 of a fine-tuned head."""
    dimensions: int
    """Length of a stored vector; a gallery too small to learn PCA has another length."""
    precision: str
    """Precision of the network. A machine that lacks it may add pictures in another one that was measured to give
    interchangeable descriptors; the manifest lists those."""
    keypoints: int | None
    """Maximum keypoints per image; None in an index from an earlier version, where it is unknown."""
    tiled_from: int = 0
    """Longest side, in pixels, from which on the tiles of an image are described too."""
    tiles: int = 1
    """How many of them there are across an image, and down; 1 if only the image is described. Such an image also has
    this many times as many keypoints, found at this many times the side."""
    stride: int = 32
    """Pixels per cell of the network's last layer. Sides of images at its input are multiples of it."""
    revision: str = field(default="", compare=False)
    """Commit of the hub from which the weights came; empty if they come from elsewhere. Their hash is compared."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "backbone", full_name(self.backbone))


def differ_in_precision_only(one: Recipe, other: Recipe) -> bool:
    return one != other == replace(one, precision=other.precision)


def recipe_changes(before: Recipe, now: Recipe) -> list[str]:
    """Describe each difference, as in "keypoints changed from 0 to 500"; empty when the recipes are equal."""
    changes = [
        f"{words} changed from {_shown(name, getattr(before, name))} to {_shown(name, getattr(now, name))}"
        for name, words in FIELD_NAMES.items()
        if getattr(before, name) != getattr(now, name)
    ]
    old, new = (dict(zip(recipe.regions, recipe.detectors, strict=False)) for recipe in (before, now))
    return changes + [
        f"{name} weights changed from {_short(old[name])} to {_short(new[name])}"
        for name in old
        if name in new and old[name] != new[name]
    ]


def _shown(name: str, value: object) -> str:
    if name == "keypoints" and value is None:
        return "an unknown number (index from an earlier version)"
    if name == "backbone":
        return short_name(str(value))
    if name in ("weights_sha256", "whitening"):
        return _short(str(value))
    return ", ".join(map(str, value)) if isinstance(value, Iterable) and not isinstance(value, str) else str(value)


def _short(sha256: str) -> str:
    """The first 8 digits of a SHA-256; other words unchanged."""
    return sha256[:8] if len(sha256) == 64 else sha256 or "none"
