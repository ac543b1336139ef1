"""A feature map and some boxes become one vector a box; one forward pass serves every region."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.types import Box, FeatureMap, Vectors

Coverage = NDArray[np.float32]
"""(R, h*w): which share of a region each cell of the feature map makes up; each row sums to 1."""


def gap(cells: Vectors, coverage: Coverage) -> Vectors:
    """Global average pooling. cells (h*w, C), coverage (R, h*w) -> (R, C)."""
    return coverage @ cells


def gem(cells: Vectors, coverage: Coverage, p: float = 3.0) -> Vectors:
    """Generalised-mean pooling (Radenović et al., TPAMI 2018); p=1 is gap, a large p nears mac."""
    return np.asarray((coverage @ np.clip(cells, 1e-6, None) ** p) ** (1 / p), dtype=np.float32)


def mac(cells: Vectors, coverage: Coverage) -> Vectors:
    """Maximum activation of convolutions over every cell the region touches."""
    return np.stack([cells[row > 0].max(axis=0) for row in coverage])


POOLINGS: dict[str, Callable[[Vectors, Coverage], Vectors]] = {"gap": gap, "gem": gem, "mac": mac}


def region_coverage(boxes: Sequence[Box], size: tuple[int, int], shape: tuple[int, int]) -> Coverage:
    """How boxes of a (width, height) picture lie over an (h, w) feature map; cells at an edge count in part."""
    width, height = size
    h, w = shape
    across = _overlap([(b.x0, b.x1) for b in boxes], width, w)  # (R, w)
    down = _overlap([(b.y0, b.y1) for b in boxes], height, h)  # (R, h)
    return (down[:, :, None] * across[:, None, :]).reshape(len(boxes), h * w)


def pool_regions(
    feature_map: FeatureMap,
    boxes: Sequence[Box],
    size: tuple[int, int],
    pooling: Callable[[Vectors, Coverage], Vectors],
) -> Vectors:
    """(C, h, w) and R boxes of the (width, height) picture it was made of -> (R, C)."""
    channels, h, w = feature_map.shape
    cells = np.ascontiguousarray(feature_map.reshape(channels, h * w).T)  # (h*w, C)
    return pooling(cells, region_coverage(boxes, size, (h, w)))


def _overlap(spans: Sequence[tuple[int, int]], length: int, cells: int) -> NDArray[np.float32]:
    edges = np.arange(cells + 1) * (length / cells)
    starts, ends = np.array(spans, dtype=np.float64).T[:, :, None]
    shared = np.clip(np.minimum(ends, edges[1:]) - np.maximum(starts, edges[:-1]), 0, None)  # (R, cells)
    return np.asarray(shared / shared.sum(axis=1, keepdims=True), dtype=np.float32)
