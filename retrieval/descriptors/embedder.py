"""A recipe made live: pictures become region descriptors, a drawn box becomes a query descriptor."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from retrieval.descriptors.pooling import POOLINGS, gap, pool_layers
from retrieval.descriptors.recipe import Recipe
from retrieval.descriptors.whitening import Whitening
from retrieval.errors import BadBox, pick
from retrieval.images.resize import crop_image, resize_image
from retrieval.networks.imagenet_classes import TOP, Classifier
from retrieval.regions.find_regions import Find, find_regions
from retrieval.types import Box, ClassScores, FeatureMap, Image, Query, Region, Run, Vectors, unit

STRIDE = 32
"""Sides are rounded to whole cells of the feature map: few shapes to prepare, and no cell at the edge is half empty."""
SMALLEST_BOX = 8


@dataclass(frozen=True, slots=True)
class DescribedRegions:
    """What one forward pass says of a gallery image: R regions, their vectors before whitening (R, C), their kinds."""

    regions: list[Region]
    vectors: Vectors
    class_scores: ClassScores


@dataclass(frozen=True, slots=True)
class Embedder:
    """A network ready to run; `finders` has what finds the regions of a recipe that size alone does not lay out."""

    recipe: Recipe
    run: Run
    classifier: Classifier | None = None
    whitening: Whitening | None = None
    """The one that the recipe names; None where it is to be learned from the gallery."""
    detectors: Mapping[str, Find] = field(default_factory=dict)
    at_once: int = 1
    """Gallery images that the network likes to look at together, each brought by a thread of its own."""

    @property
    def classes(self) -> int:
        """How many of its likeliest classes are kept of a region."""
        return TOP if self.classifier else 0

    def look(self, image: Image, size: tuple[int, int] | None = None) -> DescribedRegions:
        """The regions of a gallery image, described.

        `size`: (width, height) of the original, which the regions are in pixels of, where `image` is a smaller copy.
        """
        size = size or (image.shape[1], image.shape[0])
        found = find_regions(image, size, self.recipe.regions, self.recipe.grid_levels, self.detectors)
        boxes = [region.box for region in found]
        layers = self._layers(image, size, self.recipe.side)
        return DescribedRegions(found, self._pooled(layers, boxes, size), self._class_scores(layers[0], boxes, size))

    def query(self, image: Image, box: Box, whitening: Whitening, context: float = 1.0, mode: str = "crop") -> Query:
        """What is in a box of an image, described in one of QUERY_MODES; `context` 1.2 takes in a tenth more a side.

        A box round everything is seen just as a gallery image is, so that each of those finds itself with similarity
        1. Raises BadBox when less than 8 x 8 pixels of the box lie in the image.
        """
        box = checked_box(image, box, context)
        seen = pick(QUERY_MODES, "query mode", mode)(self, image, box)
        return Query((crop_image(image, box),), unit(whitening.apply(seen).mean(axis=0)))

    def crop(self, image: Image, box: Box) -> Vectors:
        """The box cut out and seen at several scales around the one it has in the whole image, (V, C).

        A box round everything is seen at exactly that scale.
        """
        crop = crop_image(image, box)
        return np.stack([self._view(crop, side) for side in self._sides_of_views(crop, image)])

    def slice(self, image: Image, box: Box) -> Vectors:
        """The box pooled from one pass of the whole image, (1, C): what lies round it is seen too."""
        size = image.shape[1], image.shape[0]
        return self._pooled(self._layers(image, size, self.recipe.side), [box], size)

    def _sides_of_views(self, crop: Image, image: Image) -> list[int]:
        recipe = self.recipe
        if crop.shape == image.shape:
            return [recipe.side]
        side = max(recipe.side * max(crop.shape) / max(image.shape), recipe.query_side)
        return [round(side * view) for view in recipe.query_views]

    def _view(self, crop: Image, side: int) -> Vectors:
        size = crop.shape[1], crop.shape[0]
        return np.asarray(self._pooled(self._layers(crop, size, side), [Box.whole(crop)], size)[0])

    def _layers(self, image: Image, size: tuple[int, int], side: int) -> list[FeatureMap]:
        """What the network sees in an image of that (width, height), its longest side so many pixels long."""
        pixels = resize_image(image, *network_size(*size, side))
        return [layer[0] for layer in self.run(pixels[None])]

    def _pooled(self, layers: list[FeatureMap], boxes: list[Box], size: tuple[int, int]) -> Vectors:
        """Boxes, in pixels of a picture of that (width, height)."""
        pooling = pick(POOLINGS, "pooling", self.recipe.pooling)
        return pool_layers(layers, boxes, size, pooling, self.recipe.mid_layer_weight)

    def _class_scores(self, layer: FeatureMap, boxes: list[Box], size: tuple[int, int]) -> ClassScores:
        if self.classifier is None:
            return ClassScores.unknown(len(boxes))
        return ClassScores(*self.classifier.likely(gap(layer, boxes, size)))


QUERY_MODES: dict[str, Callable[[Embedder, Image, Box], Vectors]] = {"crop": Embedder.crop, "slice": Embedder.slice}
"""Ways to look at a query's box: an embedder, an image and a box in it -> vectors before whitening (V, C)."""


def checked_box(image: Image, box: Box, context: float = 1.0) -> Box:
    """The box with its context, cut to the image. Raises BadBox."""
    height, width = image.shape[:2]
    inside = box.clipped(width, height)
    if inside.width <= 0 or inside.height <= 0:
        raise BadBox(f"The box lies outside the picture, which is {width} x {height} pixels; draw it inside.")
    if inside.width < SMALLEST_BOX or inside.height < SMALLEST_BOX:
        raise BadBox(
            f"The box is {inside.width} x {inside.height} pixels; draw one of at least {SMALLEST_BOX} x {SMALLEST_BOX}."
        )
    return inside.grown(context).clipped(width, height)


def network_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Longest side `side`, aspect kept to the nearest whole cell: (width, height) in multiples of 32, at least 32."""
    longest = max(width, height)
    cells = np.maximum(np.rint(np.array([width, height]) * (side / longest) / STRIDE), 1).astype(int)
    return int(cells[0]) * STRIDE, int(cells[1]) * STRIDE
