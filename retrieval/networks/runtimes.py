"""Choose a runtime for networks: uint8 pixels (N, H, W, 3) in, one feature map (N, C, h, w) per layer out."""

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.errors import RuntimeMissing, pick
from retrieval.networks.batching import Batches
from retrieval.networks.openvino_runtime import openvino_precisions, start_openvino
from retrieval.networks.run_options import FULL, Make, RunOptions
from retrieval.types import Layers, Pixels, Run

OPENVINO = "openvino"
TORCH_CPU = "torch-cpu"
MAX_BATCH = 32
"""Largest GPU batch, in images."""


@dataclass(frozen=True, slots=True)
class Runtime:
    name: str
    precisions: Callable[[], tuple[str, ...]]
    """Precisions available on this machine, preferred first; empty when the runtime is unavailable."""
    start: Callable[[Make, RunOptions], Run]
    at_once: int = 1
    """Preferred batch size; that many threads should call it, with one or a few images each."""


def start_torch_cpu(make: Make, options: RunOptions) -> Run:
    """Run on the CPU with torch, for machines without OpenVINO."""
    import torch

    network: Any = make()  # torch's type hints lack memory_format for modules
    network.to(memory_format=torch.channels_last)

    def run(pixels: Pixels) -> Layers:
        with torch.inference_mode():
            layers = network(torch.from_numpy(np.require(pixels, requirements=["C", "W"])))
            return tuple(layer.numpy() for layer in layers)

    return run


def start_torch_cuda(make: Make, options: RunOptions) -> Run:
    """Run on an NVIDIA GPU with torch, channels last, with autocast to float16 for that precision.

    Concurrent calls are batched. Each thread has its own CUDA stream, so that copies overlap with computation.
    """
    import torch

    network: Any = make().cuda()
    network.to(memory_format=torch.channels_last)
    mine = threading.local()

    def run(pixels: Pixels) -> Layers:
        if not hasattr(mine, "stream"):
            mine.stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        batch = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).pin_memory()
        half = options.precision == "float16"
        with (
            torch.cuda.stream(mine.stream),
            torch.inference_mode(),
            torch.autocast("cuda", torch.float16, enabled=half),
        ):
            layers = network(batch.cuda(non_blocking=True))
            return tuple(layer.float().cpu().numpy() for layer in layers)  # waits only for this stream

    return Batches(run, MAX_BATCH)


def _cuda_precisions() -> tuple[str, ...]:
    if sys.platform != "win32" and not any(Path(p).exists() for p in ("/dev/nvidiactl", "/dev/dxg")):
        return ()  # without an NVIDIA driver; importing torch to ask it takes seconds
    import torch

    return ("float16", FULL) if torch.cuda.is_available() else ()


RUNTIMES: dict[str, Runtime] = {
    "torch-cuda": Runtime("torch-cuda", _cuda_precisions, start_torch_cuda, at_once=MAX_BATCH),
    OPENVINO: Runtime(OPENVINO, openvino_precisions, start_openvino),
    TORCH_CPU: Runtime(TORCH_CPU, lambda: (FULL,), start_torch_cpu),
}
"""In order of preference."""


def choose_runtime(name: str = "auto", precision: str | None = None) -> tuple[Runtime, str]:
    """Return the first available runtime with the precision (None for any), and the precision it uses.

    If no runtime has it, float32 is used. Its vectors are comparable with those of every precision, so that an index
    can be searched on another machine. Raises RuntimeMissing, UnknownName.
    """
    named = [pick(RUNTIMES, "runtime", name)] if name != "auto" else RUNTIMES.values()
    for wanted in (precision, FULL):
        for runtime in named:
            able = runtime.precisions()
            if able and (wanted is None or wanted in able):
                return runtime, wanted or able[0]
    raise RuntimeMissing(f"The runtime {name} is not available on this machine; choose auto.")
