"""A recipe made live: pictures become region descriptors, a drawn box becomes a query descriptor."""

from dataclasses import dataclass

import numpy as np

from retrieval.errors import BadBox, pick
from retrieval.images import crop_image, resize_image
from retrieval.pooling import POOLINGS, pool_layers
from retrieval.recipe import Recipe
from retrieval.regions import find_regions
from retrieval.runtimes import Run
from retrieval.types import Box, FeatureMap, Image, Query, Region, Vectors, unit
from retrieval.whitening import Whitening

STRIDE = 32
"""Sides are rounded to whole cells of the feature map: few shapes to prepare, and no cell at the edge is half empty."""
SMALLEST_BOX = 8


@dataclass(frozen=True, slots=True)
class Embedder:
    recipe: Recipe
    run: Run

    def regions(self, image: Image, size: tuple[int, int] | None = None) -> tuple[list[Region], Vectors]:
        """The R regions of a gallery image and their vectors before whitening, (R, C), from one forward pass.

        `size`: (width, height) of the original, which the regions are in pixels of, where `image` is a smaller copy.
        """
        width, height = size or (image.shape[1], image.shape[0])
        found = find_regions(self.recipe.regions, width, height, self.recipe.grid_levels)
        pixels = resize_image(image, *network_size(width, height, self.recipe.side))
        return found, self._pool(pixels, [region.box for region in found], (width, height))

    def query(self, image: Image, box: Box, whitening: Whitening, context: float = 1.0) -> Query:
        """What is in a box of an image, described; `context` 1.2 takes in a tenth more on each side.

        The crop is seen at several scales around the one it would have if the whole image went through the network,
        and its descriptor (D,) is the mean of these views. A box round everything is seen at exactly that scale, so
        that a gallery image finds itself with similarity 1. Raises BadBox when less than 8 x 8 pixels of the box lie
        in the image.
        """
        crop = crop_image(image, checked_box(image, box, context))
        views = [self._view(crop, side) for side in self._sides_of_views(crop, image)]
        return Query((crop,), unit(whitening.apply(np.stack(views)).mean(axis=0)))

    def _sides_of_views(self, crop: Image, image: Image) -> list[int]:
        recipe = self.recipe
        if crop.shape == image.shape:
            return [recipe.side]
        side = max(recipe.side * max(crop.shape) / max(image.shape), recipe.query_side)
        return [round(side * view) for view in recipe.query_views]

    def _view(self, crop: Image, side: int) -> Vectors:
        height, width = crop.shape[:2]
        pixels = resize_image(crop, *network_size(width, height, side))
        return np.asarray(self._pool(pixels, [Box.whole(crop)], (width, height))[0])

    def _pool(self, pixels: Image, boxes: list[Box], size: tuple[int, int]) -> Vectors:
        """Boxes, in pixels of a picture of that (width, height), of what the network sees in `pixels`."""
        layers: list[FeatureMap] = [layer[0] for layer in self.run(pixels[None])]
        pooling = pick(POOLINGS, "pooling", self.recipe.pooling)
        return pool_layers(layers, boxes, size, pooling, self.recipe.fine)


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
