"""Run networks on the CPU with OpenVINO, several times as fast as torch."""

import contextlib
import hashlib
import importlib
import importlib.util
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.cpus import cpu_quota
from retrieval.errors import RuntimeMissing, first_line
from retrieval.networks.disk_cache import optional_cache
from retrieval.networks.fixed_sizes import FixedSizes, infer
from retrieval.networks.run_options import FULL, Make, RunOptions
from retrieval.optional_packages import NNCF
from retrieval.types import Pixels, Run

INT8 = "int8"
TRIED_CELLS = ((5, 9), (10, 4))
"""Heights and widths, in cells, of the images by which a converted network is compared with the original."""
TOLERANCE = 0.01
"""Largest difference between the two, relative to the largest feature."""
CACHED_LAYERS = 1000
"""Capacity of OpenVINO's cache of compiled layers, enough for the last 40 image sizes; a cached size is a third faster.

OpenVINO's default of 5,000 takes more than 500 MB when every box has a new size.
"""
_HINTS = {FULL: "f32", "bfloat16": "bf16"}


class NotConvertible(RuntimeMissing):
    """OpenVINO cannot run a network, or not for images of every size."""


@cache
def openvino_core(openvino: Any) -> Any:
    """The Core of this process, which lives as long as it does. `openvino` is the module.

    A Core gives the thread that makes it a stack for signal handlers. If it were dropped in another thread, the stack
    would be gone, and the next signal, such as a request to cancel a build, would end the process.
    """
    return openvino.Core()


def start_openvino(make: Make, options: RunOptions) -> Run:
    """Compile a network for the CPU. The result may be called from many threads."""
    openvino = import_openvino()
    hint = _HINTS.get(options.precision)  # None for int8
    core = openvino_core(openvino)
    model = converted_network(make, options) if hint else core.read_model(_quantised_path(options))
    properties = {
        "INFERENCE_PRECISION_HINT": hint or "f32",
        "NUM_STREAMS": str(options.streams),
        "CPU_RUNTIME_CACHE_CAPACITY": str(CACHED_LAYERS),
        "ENABLE_CPU_PINNING": "NO",  # a thread pinned to a core that another program uses would wait for it
    }
    threads = options.threads or cpu_quota()  # OpenVINO respects CPU affinity but not quotas
    if threads:
        properties["INFERENCE_NUM_THREADS"] = str(threads)
    if options.converted and os.path.isdir(options.converted.parent):  # OpenVINO fails if it cannot create the folder
        properties["CACHE_DIR"] = str(options.converted.parent)  # for the compiled model, which halves the next start
    compiled = core.compile_model(model, "CPU", properties)
    if not options.fixed_sizes:
        return infer(compiled)

    def compile_for(shape: tuple[int, ...]) -> Any:
        fixed = model.clone()
        fixed.reshape(list(shape))
        return core.compile_model(fixed, "CPU", properties | {"CACHE_DIR": ""})

    return FixedSizes(compiled, compile_for, options.fixed_sizes)


def openvino_precisions() -> tuple[str, ...]:
    if importlib.util.find_spec("openvino") is None:
        return ()
    capabilities = openvino_core(import_openvino()).get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return ("bfloat16", FULL) if "BF16" in capabilities else (FULL,)


def has_quantised(options: RunOptions) -> bool:
    """Whether the int8 network for a precision named by `quantise` is on this machine."""
    return (
        options.precision.startswith(INT8)
        and options.converted is not None
        and os.path.exists(_quantised_path(options))
    )


def quantise(make: Make, options: RunOptions, examples: Callable[[], Sequence[Pixels]]) -> str:
    """Calibrate an int8 network on examples and save it (OpenVINO, NNCF). Returns the name of its precision.

    The name contains the start of the file's SHA-256, because another calibration gives other vectors. An existing
    int8 network is reused. Raises RuntimeMissing, also when the network cannot be saved, because searches need it.
    """
    converted = options.converted
    assert converted is not None
    existing = quantised_precision(converted)
    if existing:
        return existing
    NNCF.check(f"The precision {INT8}")
    openvino = import_openvino()
    model = converted_network(make, options)  # before importing NNCF, which would import the telemetry too
    import nncf

    with _must_save(converted.parent):  # before the calibration, which takes a minute
        scratch = tempfile.TemporaryDirectory(dir=converted.parent)
    with scratch:
        pictures = list(examples())
        logging.getLogger("nncf").setLevel(logging.ERROR)  # nncf's own function silences every logger
        with contextlib.redirect_stdout(None):  # hides nncf's progress bars
            small = nncf.quantize(model, nncf.Dataset(pictures), subset_size=len(pictures))
        with _must_save(converted.parent):
            part = Path(scratch.name) / "network.xml"
            openvino.save_model(small, part, compress_to_fp16=False)
            weights = part.with_suffix(".bin").read_bytes()
            precision = f"{INT8}-{hashlib.sha256(weights).hexdigest()[:12]}"
            _move(part, _quantised_path(RunOptions(precision, converted=converted)))
    return precision


def quantised_precision(converted: Path) -> str:
    """The precision of the int8 network that is on this machine; "" if none is."""
    existing = sorted(converted.parent.glob(f"{converted.stem}-{INT8}-*.xml"))
    return existing[0].stem.removeprefix(f"{converted.stem}-") if existing else ""


def _quantised_path(options: RunOptions) -> Path:
    assert options.converted is not None
    return options.converted.with_name(f"{options.converted.stem}-{options.precision}.xml")


@cache
def import_openvino() -> Any:
    """Import OpenVINO without telemetry and safe for many threads.

    The telemetry reports every start to the vendor from a forked process. OpenVINO deadlocks when two threads access
    tensor data for the first time simultaneously, so the first access happens here.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None blocks the import
    openvino = importlib.import_module("openvino")
    assert openvino.Tensor(np.zeros(1, np.uint8)).data is not None
    return openvino


@contextlib.contextmanager
def _must_save(folder: Path) -> Iterator[None]:
    """Raise RuntimeMissing if the body cannot write to the folder."""
    try:
        yield
    except (OSError, RuntimeError):  # OpenVINO raises RuntimeError
        raise RuntimeMissing(
            f"The calibrated int8 network cannot be saved in {folder}, which is not writable or whose disk is full. "
            "Choose another folder with BOXFIND_DATA, or another precision."
        ) from None


def converted_network(make: Make, options: RunOptions) -> Any:
    """Load the network in OpenVINO format from its cache file, or convert it from torch (seconds) and try to save it.

    Raises NotConvertible for a network that is not proven.
    """
    openvino, path = import_openvino(), options.converted
    if path is not None and os.path.exists(path):
        with contextlib.suppress(RuntimeError):  # damaged: convert again and replace
            return openvino_core(openvino).read_model(path)
    network = make()
    if options.proven:
        model = _convert(network, options.stride)
    else:
        try:
            model = _convert(network, options.stride)
            same = _computes_the_same(model, network, options.stride)
        except Exception as error:  # the converter's own are no RuntimeErrors, and any library may be at fault
            raise NotConvertible(f"OpenVINO cannot run it ({first_line(error)}).") from None
        if not same:
            raise NotConvertible("OpenVINO computes other features than the original network.")
    if path is not None:
        with optional_cache(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
                part = Path(scratch) / "network.xml"
                openvino.save_model(model, part, compress_to_fp16=False)
                _move(part, path)
    return model


def _convert(network: Any, stride: int) -> Any:
    import torch

    # No square: position embeddings of a transformer, which are square, would be taken as they are for every size.
    example = torch.zeros(1, 8 * stride, 12 * stride, 3, dtype=torch.uint8)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # OpenVINO's converter uses deprecated parts of torch
        return import_openvino().convert_model(network, example_input=example)


def _computes_the_same(model: Any, network: Any, stride: int) -> bool:
    import torch

    compiled = openvino_core(import_openvino()).compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for height, width in TRIED_CELLS:
        pixels = np.random.default_rng(0).integers(0, 256, (1, height * stride, width * stride, 3), np.uint8)
        with torch.inference_mode():
            expected = [layer.numpy() for layer in network(torch.from_numpy(pixels))]
        found = compiled(pixels)
        for number, layer in enumerate(expected):
            if found[number].shape != layer.shape:
                return False
            if not np.abs(found[number] - layer).max() <= TOLERANCE * np.abs(layer).max():  # nor if it is not a number
                return False
    return True


def _move(network: Path, path: Path) -> None:
    """Move a network's two files, the .xml last, so that an .xml always has a complete .bin."""
    os.replace(network.with_suffix(".bin"), path.with_suffix(".bin"))
    os.replace(network, path)
