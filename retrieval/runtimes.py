"""How a network is run on this machine: pixels (N, H, W, 3) uint8 in, a feature map (N, C, h, w) a layer out."""

import contextlib
import importlib
import importlib.util
import os
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import RuntimeMissing, pick

if TYPE_CHECKING:
    from torch import nn

Pixels = NDArray[np.uint8]
Layers = tuple[NDArray[np.float32], ...]
Run = Callable[[Pixels], Layers]
Make = Callable[[], "nn.Module"]
"""Makes the torch network; called only when it is needed, for importing torch alone takes seconds."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a runtime is asked to run: how, by how many threads at a time, and what it may keep on disk."""

    precision: str = "float32"
    streams: int = 1
    converted: Path | None = None
    """Where the converted network is kept between starts; None keeps nothing."""


@dataclass(frozen=True, slots=True)
class Runtime:
    name: str
    precisions: tuple[str, ...]
    """What it can compute in; the first is what a new index is built with."""
    available: Callable[[], bool]
    start: Callable[[Make, RunOptions], Run]


def start_openvino(make: Make, options: RunOptions) -> Run:
    """CPU through OpenVINO, several times as fast as torch there. Safe to call from many threads."""
    openvino = _import_openvino()
    model = _converted(make, options.converted)
    compiled = openvino.Core().compile_model(
        model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": str(options.streams)}
    )
    mine = threading.local()  # an infer request serves one thread at a time

    def run(pixels: Pixels) -> Layers:
        if not hasattr(mine, "request"):
            mine.request = compiled.create_infer_request()
        layers = mine.request.infer({0: pixels})
        return tuple(np.array(layers[i]) for i in range(len(layers)))  # copied: the request reuses its outputs

    return run


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
    """An NVIDIA GPU through torch, channels last; autocast to float16 unless float32 is asked for."""
    import torch

    network: Any = make().cuda()
    network.to(memory_format=torch.channels_last)
    one_at_a_time = threading.Lock()

    def run(pixels: Pixels) -> Layers:
        batch = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).pin_memory()
        half = options.precision == "float16"
        with one_at_a_time, torch.inference_mode(), torch.autocast("cuda", torch.float16, enabled=half):
            return tuple(layer.float().cpu().numpy() for layer in network(batch.cuda(non_blocking=True)))

    return run


def _cuda_available() -> bool:
    import torch

    return torch.cuda.is_available()


def _nvidia_driver_here() -> bool:
    """Whether asking torch about CUDA is worth the seconds its import takes."""
    return sys.platform == "win32" or any(Path(p).exists() for p in ("/dev/nvidiactl", "/dev/dxg"))


RUNTIMES: dict[str, Runtime] = {
    "torch-cuda": Runtime(
        "torch-cuda",
        ("float16", "float32"),
        lambda: _nvidia_driver_here() and _cuda_available(),
        start_torch_cuda,
    ),
    "openvino": Runtime(
        "openvino",
        ("float32",),
        lambda: importlib.util.find_spec("openvino") is not None,
        start_openvino,
    ),
    "torch-cpu": Runtime("torch-cpu", ("float32",), lambda: True, start_torch_cpu),
}
"""In order of preference."""


def choose_runtime(name: str = "auto", precision: str | None = None) -> Runtime:
    """The first runtime of this machine that can compute in the precision asked for (None: in any)."""
    if name != "auto":
        named = pick(RUNTIMES, "runtime", name)
        if precision is not None and precision not in named.precisions:
            raise RuntimeMissing(f"The runtime {name} does not compute in {precision}, which the index was built with.")
        return named
    for runtime in RUNTIMES.values():
        if (precision is None or precision in runtime.precisions) and runtime.available():
            return runtime
    raise RuntimeMissing(f"Nothing on this machine computes in {precision}.")


def _import_openvino() -> Any:
    """OpenVINO without its telemetry, which would tell its makers of every start, in a process forked for that."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # a None there forbids the import
    return importlib.import_module("openvino")


def _converted(make: Make, path: Path | None) -> Any:
    """The network in OpenVINO's form: read where it is kept, else converted from torch (seconds) and kept."""
    openvino = _import_openvino()
    if path is not None and path.exists():
        with contextlib.suppress(RuntimeError):  # damaged: converted anew and replaced
            return openvino.Core().read_model(path)
    import torch

    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # OpenVINO's converter uses parts of torch that torch is about to retire
        model = openvino.convert_model(make(), example_input=torch.zeros(1, 256, 256, 3, dtype=torch.uint8))
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.stem}-{os.getpid()}.xml")
        openvino.save_model(model, part, compress_to_fp16=False)
        os.replace(part.with_suffix(".bin"), path.with_suffix(".bin"))
        os.replace(part, path)  # last: where the .xml is, the .bin is whole
    return model
