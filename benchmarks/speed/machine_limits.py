"""Measure the limits of the machine: the network alone, reading and decoding alone, keypoints alone."""

import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from index.building.decoder_pool import ENOUGH, MEMORY, prepare_worker
from retrieval.blas_threads import one_blas_thread
from retrieval.descriptors.embedder import network_size
from retrieval.images.decode import decode_picture, load_image, read_file
from retrieval.images.resize import resize_image
from retrieval.ranking.keypoints import find_keypoints
from retrieval.types import Image, Run


def network_rate(run: Run, paths: Sequence[Path], side: int, threads: int) -> float:
    """Pictures per second through the network, for pixels in memory, on `threads` threads."""
    pixels = [_resized(load_image(path), side)[None] for path in paths]
    for first in {
        batch.shape: batch for batch in pixels
    }.values():  # the first run of a shape compiles the network for it
        run(first)
    with ThreadPoolExecutor(threads) as pool, one_blas_thread():
        list(pool.map(run, pixels[: 2 * threads]))
        began = time.perf_counter()
        list(pool.map(run, pixels))
        return len(pixels) / (time.perf_counter() - began)


def preparing_rates(paths: Sequence[Path], side: int, processes: int) -> tuple[float, float]:
    """Pictures per second on `processes` processes: reading, decoding and resizing as in a build; finding keypoints."""
    context, prepare = multiprocessing.get_context("spawn"), partial(prepare_worker, MEMORY)
    with context.Pool(processes, prepare) as pool:
        work = partial(_seconds_apart, side=side)
        pool.map(work, paths[: 2 * processes], chunksize=1)
        seconds = np.array(pool.map(work, paths, chunksize=1))
    decoding, keypoints = len(paths) * processes / seconds.sum(axis=0)
    return float(decoding), float(keypoints)


def together(*rates: float) -> float:
    """Combined rate when the same cores perform the steps one after the other."""
    return 1 / sum(1 / rate for rate in rates)


def _seconds_apart(path: Path, side: int) -> tuple[float, float]:
    began = time.perf_counter()
    decoded = decode_picture(read_file(path), path.name, ENOUGH * side)
    resize_image(decoded.image, *network_size(decoded.width, decoded.height, side))
    ready = time.perf_counter()
    find_keypoints(decoded.image)
    return ready - began, time.perf_counter() - ready


def _resized(image: Image, side: int) -> Image:
    return resize_image(image, *network_size(image.shape[1], image.shape[0], side))
