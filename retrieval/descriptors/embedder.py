"""Compute region descriptors of gallery images and query descriptors of boxes, by a recipe."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from retrieval.descriptors.pooling import POOLINGS, gap, pool_layers
from retrieval.descriptors.recipe import Recipe
from retrieval.descriptors.whitening import Whitening
from retrieval.errors import BadBox, pick
from retrieval.images.resize import crop_image, resize_image
from retrieval.networks.imagenet_classes import TOP, Classifier
from retrieval.regions.find_regions import Find, find_regions
from retrieval.regions.tiles import TILE, image_tiles
from retrieval.types import Box, ClassScores, FeatureMap, Image, Query, Region, Run, Vectors, unit

SMALLEST_BOX = 8
"""In pixels."""


@dataclass(frozen=True, slots=True)
class DescribedRegions:
    """R regions of a gallery image, their vectors before whitening (R, C), and their class scores."""

    regions: list[Region]
    vectors: Vectors
    class_scores: ClassScores


@dataclass(frozen=True, slots=True)
class Embedder:
    """A loaded network with its recipe. `detectors` maps region sources to detectors that need the pixels."""

    recipe: Recipe
    run: Run
    classifier: Classifier | None = None
    whitening: Whitening | None = None
    """The fixed whitening of the recipe; None if it is learned from the gallery."""
    detectors: Mapping[str, Find] = field(default_factory=dict)
    at_once: int = 1
    """Preferred number of threads that describe images concurrently, for batching."""

    @property
    def classes(self) -> int:
        """Number of most likely classes stored per region."""
        return TOP if self.classifier else 0

    def describe(
        self, image: Image, size: tuple[int, int] | None = None, tiles: Sequence[Image] = ()
    ) -> DescribedRegions:
        """Find and describe the regions of a gallery image, and of its `image_tiles` if they are given.

        `size` is the (width, height) of the original if `image` is a smaller copy. Regions are in its pixels. `tiles`
        may be smaller copies too.
        """
        size = size or (image.shape[1], image.shape[0])
        parts = [self._describe(image, size)]
        boxes = image_tiles(*size, self.recipe.tiled_from, self.recipe.tiles) if tiles else ()
        for box, tile in zip(boxes, tiles, strict=True):
            parts.append(_moved(self._describe(tile, (box.width, box.height)), box))
        return _joined(parts)

    def _describe(self, image: Image, size: tuple[int, int]) -> DescribedRegions:
        """Find and describe the regions of an image or a tile of original (width, height) `size`."""
        found = find_regions(image, size, self.recipe.regions, self.recipe.grid_levels, self.detectors)
        boxes = [region.box for region in found]
        layers = self._layers(image, size, self.recipe.side)
        class_scores = ClassScores.unknown(len(boxes))
        if self.classifier:
            class_scores = ClassScores(*self.classifier.likely(gap(layers[0], boxes, size)))
        return DescribedRegions(found, self._pooled(layers, boxes, size), class_scores)

    def query(
        self,
        image: Image,
        box: Box,
        whitening: Whitening,
        context: float = 1.0,
        mode: str = "crop",
        size: tuple[int, int] | None = None,
    ) -> Query:
        """Describe a box of an image in one of QUERY_MODES. A `context` of 1.2 makes each side 20 % longer.

        `size` is the (width, height) of the original if `image` is a smaller copy. The box is in its pixels. A box
        around the whole image is processed like a gallery image, so that every gallery image finds itself with
        similarity 1. Raises BadBox when less than 8 x 8 pixels of the box are inside the image.
        """
        size = size or (image.shape[1], image.shape[0])
        box = checked_box(size, box, context)
        views = pick(QUERY_MODES, "query mode", mode)(self, image, box, size)
        return Query((crop_image(image, box, size),), unit(whitening.apply(views).mean(axis=0)))

    def crop(self, image: Image, box: Box, original: tuple[int, int]) -> Vectors:
        """Crop the box and describe it at several scales around its scale in the whole image, (V, C).

        A box around the whole image is described at that scale only. The box is in pixels of the original.
        """
        recipe, crop = self.recipe, crop_image(image, box, original)
        sides = [recipe.side]
        if crop.shape != image.shape:
            side = max(recipe.side * max(crop.shape) / max(image.shape), recipe.query_side)
            sides = [round(side * view) for view in recipe.query_views]
        size, whole = (crop.shape[1], crop.shape[0]), [Box.whole(crop)]
        return np.concatenate([self._pooled(self._layers(crop, size, side), whole, size) for side in sides])

    def slice(self, image: Image, box: Box, original: tuple[int, int]) -> Vectors:
        """Pool the box from the feature map of the whole image, (1, C), which includes its surroundings."""
        return self._pooled(self._layers(image, original, self.recipe.side), [box], original)

    def _layers(self, image: Image, size: tuple[int, int], side: int) -> list[FeatureMap]:
        """Feature maps of an image of original (width, height) `size`, resized to a longest side of `side` pixels."""
        pixels = resize_image(image, *network_size(*size, side, self.recipe.stride))
        return [layer[0] for layer in self.run(pixels[None])]

    def _pooled(self, layers: list[FeatureMap], boxes: list[Box], size: tuple[int, int]) -> Vectors:
        """Pooled vectors (R, C) of boxes in pixels of an image of this (width, height)."""
        pooling = pick(POOLINGS, "pooling", self.recipe.pooling)
        return pool_layers(layers, boxes, size, pooling, self.recipe.mid_layer_weight)


QUERY_MODES: dict[str, Callable[[Embedder, Image, Box, tuple[int, int]], Vectors]] = {
    "crop": Embedder.crop,
    "slice": Embedder.slice,
}
"""Query modes: (embedder, image, box, (width, height) of the original) -> V vectors before whitening (V, C)."""


def _moved(described: DescribedRegions, tile: Box) -> DescribedRegions:
    """The regions of a tile, in pixels of the image."""
    moved = [replace(region, box=region.box.shifted(tile.x0, tile.y0), kind=TILE) for region in described.regions]
    return replace(described, regions=moved)


def _joined(parts: Sequence[DescribedRegions]) -> DescribedRegions:
    return DescribedRegions(
        [region for part in parts for region in part.regions],
        np.concatenate([part.vectors for part in parts]),
        ClassScores(
            np.concatenate([part.class_scores.classes for part in parts]),
            np.concatenate([part.class_scores.shares for part in parts]),
        ),
    )


def checked_box(size: tuple[int, int], box: Box, context: float = 1.0) -> Box:
    """The box enlarged by `context` and clipped to an image of this (width, height). Raises BadBox."""
    width, height = size
    inside = box.clipped(width, height)
    if inside.width <= 0 or inside.height <= 0:
        raise BadBox(f"The box lies outside the picture, which is {width} x {height} pixels; draw it inside.")
    if inside.width < SMALLEST_BOX or inside.height < SMALLEST_BOX:
        raise BadBox(
            f"The box is {inside.width} x {inside.height} pixels; draw one of at least {SMALLEST_BOX} x {SMALLEST_BOX}."
        )
    return inside.grown(context).clipped(width, height)


def network_size(width: int, height: int, side: int, stride: int) -> tuple[int, int]:
    """Scale (width, height) to a longest side of `side`, rounded to multiples of the network's stride, at least one.

    Whole feature-map cells mean few input shapes and no partial cells.
    """
    longest = max(width, height)
    cells = np.maximum(np.rint(np.array([width, height]) * (side / longest) / stride), 1).astype(int)
    return int(cells[0]) * stride, int(cells[1]) * stride
