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

from retrieval.batching import Batches
from retrieval.errors import RuntimeMissing, pick
from retrieval.types import Layers, Pixels, Run

if TYPE_CHECKING:
    from torch import nn

Make = Callable[[], "nn.Module"]
"""Makes the torch network; called only when it is needed, for importing torch alone takes seconds."""

FULL = "float32"
_OPENVINO = {FULL: "f32", "bfloat16": "bf16"}
AT_ONCE = 32
"""Pictures in one batch of a GPU."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a runtime is asked to run: how, by how many threads at a time, and what it may keep on disk."""

    precision: str = FULL
    streams: int = 1
    converted: Path | None = None
    """Where the converted network is kept between starts; None keeps nothing."""


@dataclass(frozen=True, slots=True)
class Runtime:
    name: str
    precisions: Callable[[], tuple[str, ...]]
    """What this machine computes in with it, nothing where it cannot run; the first is what an index is built with."""
    start: Callable[[Make, RunOptions], Run]
    at_once: int = 1
    """Pictures that it likes to look at together; as many threads should bring it some, one or a few each."""


def start_openvino(make: Make, options: RunOptions) -> Run:
    """CPU through OpenVINO, several times as fast as torch there. Safe to call from many threads."""
    openvino = _import_openvino()
    model = _converted(make, options.converted)
    how = {"INFERENCE_PRECISION_HINT": _OPENVINO[options.precision], "NUM_STREAMS": str(options.streams)}
    if options.converted:
        how["CACHE_DIR"] = str(options.converted.parent)  # compiled for this machine: half a start the next time
    compiled = openvino.Core().compile_model(model, "CPU", how)
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


def _openvino_precisions() -> tuple[str, ...]:
    if importlib.util.find_spec("openvino") is None:
        return ()
    able = _import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return ("bfloat16", "float32") if "BF16" in able else ("float32",)


def _nvidia_driver_here() -> bool:
    """Whether asking torch about CUDA is worth the seconds its import takes."""
    return sys.platform == "win32" or any(Path(p).exists() for p in ("/dev/nvidiactl", "/dev/dxg"))


RUNTIMES: dict[str, Runtime] = {
    "torch-cuda": Runtime("torch-cuda", _cuda_precisions, start_torch_cuda, at_once=AT_ONCE),
    "openvino": Runtime("openvino", _openvino_precisions, start_openvino),
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
