"""From JPEG files to features: decoding on the CPU's cores or with nvJPEG on the GPU, alone and before the network."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
import torch

from benchmarks.speed.network_rates import finish
from retrieval.cpus import cpu_count
from retrieval.images.decode import decode_picture
from retrieval.images.resize import resize_image
from retrieval.types import Image

Feed = Callable[[Sequence[bytes], tuple[int, int], int], Iterator[torch.Tensor]]
"""JPEG files, (width, height) and batch size -> batches of pixels (N, height, width, 3) on the device."""


def on_the_cpu(device: str) -> Feed:
    """Decode on all cores, at a half or less of the size where that suffices, as a build does."""

    def feed(files: Sequence[bytes], size: tuple[int, int], batch: int) -> Iterator[torch.Tensor]:
        def decode(data: bytes) -> Image:
            return resize_image(decode_picture(data, enough=max(size)).image, *size)

        with ThreadPoolExecutor(cpu_count()) as pool:
            decoded = pool.map(decode, files)
            while pictures := list(islice(decoded, batch)):
                pixels = torch.from_numpy(np.stack(pictures))
                yield (pixels.pin_memory() if device == "cuda" else pixels).to(device, non_blocking=True)

    return feed


def with_nvjpeg(files: Sequence[bytes], size: tuple[int, int], batch: int) -> Iterator[torch.Tensor]:
    """Decode and resize on the GPU, where torchvision has nvJPEG. Raises RuntimeError, ImportError without it."""
    from torchvision.io import ImageReadMode, decode_jpeg

    for start in range(0, len(files), batch):
        data = [torch.frombuffer(bytearray(file), dtype=torch.uint8) for file in files[start : start + batch]]
        yield resized(decode_jpeg(data, mode=ImageReadMode.RGB, device="cuda"), size)


def resized(pictures: Sequence[Any], size: tuple[int, int]) -> torch.Tensor:
    """Pictures (3, H, W) of any sizes as one batch (N, height, width, 3) of bytes."""
    scaled = [
        torch.nn.functional.interpolate(picture[None].float(), size[::-1], mode="bilinear", antialias=True)[0]
        for picture in pictures
    ]
    return torch.stack(scaled).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def feed_rate(
    feed: Feed,
    files: Sequence[bytes],
    size: tuple[int, int],
    batch: int,
    device: str,
    compute: Callable[[torch.Tensor], object] = lambda pixels: None,
) -> float:
    """Pictures per second from files to pixels on the device and, with `compute`, through the network."""
    for pixels in feed(files[:batch], size, batch):
        compute(pixels)
    finish(device)
    began = time.perf_counter()
    for pixels in feed(files, size, batch):
        compute(pixels)
    finish(device)
    return len(files) / (time.perf_counter() - began)
