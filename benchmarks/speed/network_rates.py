"""Agreement of vectors between runtimes, and rates of a network by batch size and precision."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from retrieval.types import Pixels, Run, unit

SECONDS = 1.0
"""A measurement repeats its work for at least this long."""
WARM_UPS = 3
PRECISIONS: dict[str, torch.dtype | None] = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}
"""Name -> type of autocast."""


@dataclass(frozen=True, slots=True)
class NetworkRate:
    """How fast a network computes pictures that are in the memory of its device, and how much memory it needs."""

    precision: str
    batch: int
    rate: float
    """Pictures per second."""
    memory: int
    """Most bytes of the GPU's memory, 0 on a CPU."""


def lowest_cosine(run: Run, reference: Run, pictures: Sequence[Pixels], threads: int) -> float:
    """The lowest cosine between pooled features of two runtimes, over pictures (1, H, W, 3) and layers.

    `threads` threads call `run` at the same time, as a build does.
    """
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(run, pictures))
    cosines = [
        float((unit(layer.mean(axis=(2, 3))) * unit(expected.mean(axis=(2, 3)))).sum(axis=1).min())
        for layers, picture in zip(found, pictures, strict=True)
        for layer, expected in zip(layers, reference(picture), strict=True)
    ]
    return min(cosines)


def network_rates(
    network: Any, picture: Pixels, device: str, precisions: Sequence[str], batches: Sequence[int]
) -> list[NetworkRate]:
    """Rates of a network for copies of one picture (1, H, W, 3), channels last.

    `batches` ascend; those for which the memory of the device does not suffice are left out.
    """
    network = network.to(device, memory_format=torch.channels_last)
    rates = []
    for precision in precisions:
        compute = computing(network, device, precision)
        for batch in batches:
            if device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            try:
                pixels = torch.from_numpy(np.repeat(picture, batch, axis=0)).to(device)
                rate = batch * calls_per_second(partial(compute, pixels), device)
            except torch.OutOfMemoryError:
                break
            rates.append(NetworkRate(precision, batch, rate, peak_memory(device)))
    return rates


def computing(network: Any, device: str, precision: str) -> Callable[[torch.Tensor], Any]:
    """A function from pixels (N, H, W, 3) on the device to the features of the network."""
    kind = PRECISIONS[precision]

    def compute(pixels: torch.Tensor) -> Any:
        with torch.inference_mode(), torch.autocast(device, kind or torch.bfloat16, enabled=kind is not None):
            return network(pixels)

    return compute


def runtime_rate(run: Run, picture: Pixels, threads: int) -> float:
    """Pictures per second when that many threads call a runtime with one picture (1, H, W, 3) each."""
    with ThreadPoolExecutor(threads) as pool:
        return threads * calls_per_second(lambda: list(pool.map(run, [picture] * threads)), "cpu")


def calls_per_second(work: Callable[[], object], device: str) -> float:
    """Call `work` again and again for at least SECONDS, after WARM_UPS calls."""
    for _ in range(WARM_UPS):
        work()
    finish(device)
    began, calls = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS:
        work()
        finish(device)
        calls += 1
    return calls / (time.perf_counter() - began)


def finish(device: str) -> None:
    """Wait until the device has computed what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def peak_memory(device: str) -> int:
    """Most bytes of the GPU's memory that tensors had since the last reset; 0 on a CPU."""
    return torch.cuda.max_memory_allocated() if device == "cuda" else 0
