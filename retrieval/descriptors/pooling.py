"""Feature maps and some boxes become one vector a box; one forward pass serves every region."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.regions.find_regions import grid
from retrieval.types import Box, FeatureMap, Vectors, unit

Size = tuple[int, int]
Coverage = NDArray[np.float32]
"""(R, h*w): which share of a region each cell of the feature map makes up; each row sums to 1."""
RMAC_LEVELS = 3


def gap(feature_map: FeatureMap, boxes: Sequence[Box], size: Size) -> Vectors:
    """Global average pooling."""
    return region_coverage(boxes, size, feature_map.shape[1:]) @ _cells(feature_map).T


def gem(feature_map: FeatureMap, boxes: Sequence[Box], size: Size) -> Vectors:
    """Generalised-mean pooling (Radenović et al., TPAMI 2018) with exponent 3: between gap and mac."""
    cells = np.maximum(_cells(feature_map), 1e-6)
    cubes = cells * cells * cells  # a quarter of the time that raising to a power takes
    return np.asarray(np.cbrt(region_coverage(boxes, size, feature_map.shape[1:]) @ cubes.T))


def mac(feature_map: FeatureMap, boxes: Sequence[Box], size: Size) -> Vectors:
    """Maximum activation of convolutions over every cell the region touches."""
    cells = _cells(feature_map)
    return np.stack([cells[:, row > 0].max(axis=1) for row in region_coverage(boxes, size, feature_map.shape[1:])])


def rmac(feature_map: FeatureMap, boxes: Sequence[Box], size: Size) -> Vectors:
    """Regional MAC (Tolias et al., ICLR 2016): the sum of the unit MACs of a grid laid over each box."""
    return np.stack([unit(mac(feature_map, _inner_grid(box), size)).sum(axis=0) for box in boxes])


Pooling = Callable[[FeatureMap, Sequence[Box], Size], Vectors]
POOLINGS: dict[str, Pooling] = {"gap": gap, "gem": gem, "mac": mac, "rmac": rmac}
"""(C, h, w) and R boxes of the (width, height) picture it was made of -> (R, C)."""


def pool_layers(
    layers: Sequence[FeatureMap], boxes: Sequence[Box], size: Size, pooling: Pooling, mid_layer_weight: float
) -> Vectors:
    """One unit vector (R, C) a box from the layers of one forward pass, side by side.

    The last layer of the network, which comes first, is pooled as asked. Finer layers, whose values have either sign,
    are averaged and weigh `fine` as much; at 0 they are left out.
    """
    parts = [unit(pooling(layers[0], boxes, size))]
    if mid_layer_weight:
        parts += [mid_layer_weight * unit(gap(layer, boxes, size)) for layer in layers[1:]]
    return unit(np.concatenate(parts, axis=1))


def region_coverage(boxes: Sequence[Box], size: Size, shape: tuple[int, ...]) -> Coverage:
    """How boxes of a (width, height) picture lie over an (h, w) feature map; cells at an edge count in part."""
    width, height = size
    h, w = shape
    across = _overlap([(b.x0, b.x1) for b in boxes], width, w)  # (R, w)
    down = _overlap([(b.y0, b.y1) for b in boxes], height, h)  # (R, h)
    return (down[:, :, None] * across[:, None, :]).reshape(len(boxes), h * w)


def _cells(feature_map: FeatureMap) -> Vectors:
    """(C, h, w) -> (C, h*w)."""
    return feature_map.reshape(len(feature_map), -1)


def _inner_grid(box: Box) -> list[Box]:
    inner = [region.box for region in grid(box.width, box.height, RMAC_LEVELS) if min(region.box.xywh[2:]) > 0]
    if not inner:  # of a few pixels
        return [box]
    return [Box(box.x0 + b.x0, box.y0 + b.y0, box.x0 + b.x1, box.y0 + b.y1) for b in inner]


def _overlap(spans: Sequence[tuple[int, int]], length: int, cells: int) -> NDArray[np.float32]:
    edges = np.arange(cells + 1) * (length / cells)
    starts, ends = np.array(spans, dtype=np.float64).T[:, :, None]
    shared = np.clip(np.minimum(ends, edges[1:]) - np.maximum(starts, edges[:-1]), 0, None)  # (R, cells)
    return np.asarray(shared / shared.sum(axis=1, keepdims=True), dtype=np.float32)
