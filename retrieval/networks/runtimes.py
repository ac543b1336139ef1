"""How a network is run on this machine: pixels (N, H, W, 3) uint8 in, a feature map (N, C, h, w) a layer out."""

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
AT_ONCE = 32
"""Pictures in one batch of a GPU."""


@dataclass(frozen=True, slots=True)
class Runtime:
    name: str
    precisions: Callable[[], tuple[str, ...]]
    """What this machine computes in with it, nothing where it cannot run; the first is what an index is built with."""
    start: Callable[[Make, RunOptions], Run]
    at_once: int = 1
    """Pictures that it likes to look at together; as many threads should bring it some, one or a few each."""


def start_torch_cpu(make: Make, options: RunOptions) -> Run:
    """CPU through torch, for machines where OpenVINO does not install."""
    import torch

    network: Any = make()  # torch's types do not know that a module has a memory format
    network.to(memory_format=torch.channels_last)

    def run(pixels: Pixels) -> Layers:
        with torch.inference_mode():
            layers = network(torch.from_numpy(np.require(pixels, requirements=["C", "W"])))
            return tuple(layer.numpy() for layer in layers)

    return run


def start_torch_cuda(make: Make, options: RunOptions) -> Run:
    """An NVIDIA GPU through torch, channels last; autocast to float16 unless float32 is asked for.

    What several threads bring at the same time is one batch. Each copy has a stream of its own, so that pictures come
    and feature maps go while another batch is computed.
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
            return tuple(layer.float().cpu().numpy() for layer in layers)  # waits for this stream alone

    return Batches(run, AT_ONCE)


def _cuda_precisions() -> tuple[str, ...]:
    if not _nvidia_driver_here():
        return ()
    import torch

    return ("float16", "float32") if torch.cuda.is_available() else ()


def _nvidia_driver_here() -> bool:
    """Whether asking torch about CUDA is worth the seconds its import takes."""
    return sys.platform == "win32" or any(Path(p).exists() for p in ("/dev/nvidiactl", "/dev/dxg"))


RUNTIMES: dict[str, Runtime] = {
    "torch-cuda": Runtime("torch-cuda", _cuda_precisions, start_torch_cuda, at_once=AT_ONCE),
    OPENVINO: Runtime(OPENVINO, openvino_precisions, start_openvino),
    "torch-cpu": Runtime("torch-cpu", lambda: (FULL,), start_torch_cpu),
}
"""In order of preference."""


def choose_runtime(name: str = "auto", precision: str | None = None) -> tuple[Runtime, str]:
    """The first runtime of this machine that computes in the precision asked for (None: any), and that precision.

    Where none does it is float32, to which all others are near enough to be compared: an index that was built on
    another machine can be searched. Raises RuntimeMissing, UnknownName.
    """
    named = [pick(RUNTIMES, "runtime", name)] if name != "auto" else RUNTIMES.values()
    for wanted in (precision, FULL):
        for runtime in named:
            able = runtime.precisions()
            if able and (wanted is None or wanted in able):
                return runtime, wanted or able[0]
    raise RuntimeMissing(f"The runtime {name} does not run on this machine; choose auto.")
