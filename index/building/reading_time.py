"""Estimate how long a build takes for each picture, by processing a drawn one."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from index.building.decode_tasks import ENOUGH
from retrieval.blas_threads import one_blas_thread
from retrieval.descriptors.embedder import Embedder, network_size
from retrieval.images.decode import decode_picture
from retrieval.images.resize import resize_image, thumbnail
from retrieval.ranking.keypoints import find_keypoints

WIDTH, HEIGHT = 1600, 1200
LONG = 3.0
"""Seconds of a first measurement that is not repeated."""


def seconds_per_picture(embedder: Embedder, workers: int) -> float | None:
    """Measure it in about a second, with as many pictures at once as a build with `workers` processes.

    None if a detector with weights finds regions, which takes seconds a picture on some machines.
    """
    recipe = embedder.recipe
    if any(recipe.detectors):
        return None
    photograph = _photograph()

    def read(_: int) -> None:
        decoded = decode_picture(photograph, enough=ENOUGH * recipe.side)
        thumbnail(decoded.image)
        if recipe.keypoints:
            find_keypoints(decoded.image, limit=recipe.keypoints)
        size = decoded.width, decoded.height
        embedder.describe(resize_image(decoded.image, *network_size(*size, recipe.side, recipe.stride)), size)

    with ThreadPoolExecutor(workers) as threads, one_blas_thread():
        for _ in range(2):  # the first time takes longer
            began = time.perf_counter()
            list(threads.map(read, range(workers)))
            seconds = time.perf_counter() - began
            if seconds > LONG:
                break
    return seconds / workers


def _photograph() -> bytes:
    """A JPEG with detail at all scales, like a photograph."""
    rng = np.random.default_rng(0)
    image = np.full((HEIGHT, WIDTH, 3), 128.0)
    for cells in (4, 16, 64, 256):
        noise = rng.integers(0, 256, (cells * 3 // 4, cells, 3), dtype=np.uint8)
        image += (resize_image(noise, WIDTH, HEIGHT) - 128.0) / np.sqrt(cells)
    return thumbnail(np.clip(image, 0, 255).astype(np.uint8), WIDTH, quality=90)
