"""A small deterministic fake backbone, and drawn images for it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from boxfind import embedders, loaded_networks
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.recipe import Recipe
from retrieval.types import Image

CELL = 32
CHANNELS = 16
TINY_RECIPE = Recipe(
    backbone="efficientnet-lite0",
    weights_sha256="0" * 64,
    preprocessing=1,
    side=128,
    query_side=128,
    query_views=(1.0,),
    regions=("whole", "grid"),
    detectors=("", ""),
    grid_levels=2,
    dedup_similarity=1.0,
    pooling="gap",
    mid_layer_weight=0.5,
    whitening="learned",
    dimensions=8,
    precision="float32",
    keypoints=500,
)


def tiny_run(pixels: np.ndarray) -> tuple[np.ndarray]:
    """(N, H, W, 3) -> one layer (N, 16, H/32, W/32): mean colour and random projections of each cell's 4 x 4 blocks."""
    count, height, width, _ = pixels.shape
    h, w = height // CELL, width // CELL
    blocks = pixels.reshape(count, h, 4, CELL // 4, w, 4, CELL // 4, 3).mean(axis=(3, 6)) / 255  # (N, h, 4, w, 4, 3)
    colours = blocks.mean(axis=(2, 4))  # (N, h, w, 3)
    flat = blocks.transpose(0, 1, 3, 2, 4, 5).reshape(count, h, w, 48)
    mixtures = np.abs(flat @ np.random.default_rng(5).normal(size=(48, CHANNELS - 3)))
    return (np.concatenate([colours, mixtures], axis=3).transpose(0, 3, 1, 2).astype(np.float32),)


TINY_EMBEDDER = Embedder(TINY_RECIPE, tiny_run)


def use_tiny_network(patch: pytest.MonkeyPatch) -> None:
    """Replace every network of the program with the fake backbone."""

    def tiny_embedder(recipe: Recipe, *_: object, **__: object) -> Embedder:
        return Embedder(recipe, tiny_run)

    for module in (embedders, loaded_networks):
        patch.setattr(module, "embedder_for_searching", tiny_embedder)
    patch.setattr(embedders, "load_classifier", lambda *_: None)


def draw_picture(seed: int, width: int = 128, height: int = 96) -> Image:
    """Draw a read-only image of coloured rectangles from a seed."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), rng.integers(0, 256, 3), dtype=np.uint8)
    for _ in range(12):
        x, y = rng.integers(0, width - 4), rng.integers(0, height - 4)
        w, h = rng.integers(4, width // 2), rng.integers(4, height // 2)
        image[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    image.setflags(write=False)
    return image


def eight_pictures(folder: Path) -> Path:
    """Write eight lossless images to `folder`, two of them in a subfolder."""
    (folder / "below").mkdir(parents=True)
    for number in range(8):
        name = f"below/{number}.png" if number > 5 else f"{number}.png"
        Pillow.fromarray(draw_picture(number)).save(folder / name)
    return folder
