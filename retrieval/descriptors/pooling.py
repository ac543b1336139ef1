"""Pool feature maps over boxes: one vector per box, from one forward pass for all."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.regions.find_regions import grid
from retrieval.types import Box, FeatureMap, Vectors, unit

Size = tuple[int, int]
Coverage = NDArray[np.float32]
"""(R, h*w): the share of each region that each feature-map cell covers; rows sum to 1."""
RMAC_LEVELS = 3


def gap(feature_map: FeatureMap, boxes: Sequence[Box], size: Size) -> Vectors:
    """Global average pooling."""
    return region_coverage(boxes, size, feature_map.shape[1:]) @ _cells(feature_map).T


def gem(feature_map: FeatureMap, boxes: Sequence[Box], size: Size) -> Vectors:
    """Generalised-mean pooling (Radenović et al., TPAMI 2018) with exponent 3."""
    cells = np.maximum(_cells(feature_map), 1e-6)
    cubes = cells * cells * cells  # 4 times as fast as cells**3
    return np.asarray(np.cbrt(region_coverage(boxes, size, feature_map.shape[1:]) @ cubes.T))


def mac(feature_map: FeatureMap, boxes: Sequence[Box], size: Size) -> Vectors:
    """Maximum activation of convolutions over every cell the region touches."""
    cells = _cells(feature_map)
    return np.stack([cells[:, row > 0].max(axis=1) for row in region_coverage(boxes, size, feature_map.shape[1:])])


def rmac(feature_map: FeatureMap, boxes: Sequence[Box], size: Size) -> Vectors:
    """R-MAC (Tolias et al., ICLR 2016): the sum of unit-length MACs over a grid in each box."""
    return np.stack([unit(mac(feature_map, _inner_grid(box), size)).sum(axis=0) for box in boxes])


Pooling = Callable[[FeatureMap, Sequence[Box], Size], Vectors]
POOLINGS: dict[str, Pooling] = {"gap": gap, "gem": gem, "mac": mac, "rmac": rmac}
"""Feature map (C, h, w), R boxes and the image's (width, height) -> (R, C)."""


def pool_layers(
    layers: Sequence[FeatureMap], boxes: Sequence[Box], size: Size, pooling: Pooling, mid_layer_weight: float
) -> Vectors:
    """Pool and concatenate the layers of one forward pass: one unit vector per box, (R, C).

    The first layer, the network's last, uses `pooling`. Finer layers have signed values, so they use average pooling;
    they are weighted by `mid_layer_weight`, and 0 omits them.
    """
    parts = [unit(pooling(layers[0], boxes, size))]
    if mid_layer_weight:
        parts += [mid_layer_weight * unit(gap(layer, boxes, size)) for layer in layers[1:]]
    return unit(np.concatenate(parts, axis=1))


def region_coverage(boxes: Sequence[Box], size: Size, shape: tuple[int, ...]) -> Coverage:
    """Coverage of an (h, w) feature map by boxes of a (width, height) image. Partially covered cells count in part."""
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
    if not inner:  # the box has only a few pixels
        return [box]
    return [b.shifted(box.x0, box.y0) for b in inner]


def _overlap(spans: Sequence[tuple[int, int]], length: int, cells: int) -> NDArray[np.float32]:
    edges = np.arange(cells + 1) * (length / cells)
    starts, ends = np.array(spans, dtype=np.float64).T[:, :, None]
    shared = np.clip(np.minimum(ends, edges[1:]) - np.maximum(starts, edges[:-1]), 0, None)  # (R, cells)
    return np.asarray(shared / shared.sum(axis=1, keepdims=True), dtype=np.float32)
