"""OpenVINO runs networks on the CPU, several times as fast as torch does there."""

import contextlib
import hashlib
import importlib
import importlib.util
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.cpus import cpu_quota
from retrieval.networks.run_options import FULL, Make, RunOptions
from retrieval.optional_packages import NNCF
from retrieval.types import Layers, Pixels, Run

INT8 = "int8"
KEPT = 1000
"""Layers that stay ready for the sizes of picture that came last, some 40: one of those takes a third less time.

OpenVINO itself would keep 5,000, which is more than 500 MB where boxes are ever new.
"""
_HINTS = {FULL: "f32", "bfloat16": "bf16"}


def start_openvino(make: Make, options: RunOptions) -> Run:
    """CPU through OpenVINO, several times as fast as torch there. Safe to call from many threads."""
    openvino = _import_openvino()
    whole = _HINTS.get(options.precision)
    model = _converted(make, options.converted) if whole else openvino.Core().read_model(_quantised(options))
    how = {
        "INFERENCE_PRECISION_HINT": whole or "f32",
        "NUM_STREAMS": str(options.streams),
        "CPU_RUNTIME_CACHE_CAPACITY": str(KEPT),
    }
    threads = options.threads or cpu_quota()  # OpenVINO sees the affinity of the process, but no quota
    if threads:
        how["INFERENCE_NUM_THREADS"] = str(threads)
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


def openvino_precisions() -> tuple[str, ...]:
    if importlib.util.find_spec("openvino") is None:
        return ()
    able = _import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return ("bfloat16", FULL) if "BF16" in able else (FULL,)


def has_quantised(options: RunOptions) -> bool:
    """Whether the network of a precision that `quantise` has named is kept on this machine."""
    return options.precision.startswith(INT8) and options.converted is not None and _quantised(options).exists()


def quantise(make: Make, converted: Path, examples: Callable[[], Sequence[Pixels]]) -> str:
    """The name of a precision: 8-bit integers, by a network that is calibrated on examples and kept (OpenVINO, NNCF).

    It has the beginning of the file's SHA-256 in it, for another calibration gives other vectors. Where there is such
    a network already it is that one's. Raises RuntimeMissing.
    """
    for kept in sorted(converted.parent.glob(f"{converted.stem}-{INT8}-*.xml")):
        return kept.stem.removeprefix(f"{converted.stem}-")
    NNCF.check(f"The precision {INT8}")
    openvino = _import_openvino()
    model = _converted(make, converted)  # before NNCF is imported: it too would ask for the telemetry
    import nncf

    pictures = list(examples())
    logging.getLogger("nncf").setLevel(logging.ERROR)  # its own function would quieten every logger there is
    with contextlib.redirect_stdout(None):  # its own progress bars
        small = nncf.quantize(model, nncf.Dataset(pictures), subset_size=len(pictures))
    with tempfile.TemporaryDirectory(dir=converted.parent) as scratch:
        part = Path(scratch) / "network.xml"
        openvino.save_model(small, part, compress_to_fp16=False)
        weights = part.with_suffix(".bin").read_bytes()
        options = RunOptions(f"{INT8}-{hashlib.sha256(weights).hexdigest()[:12]}", converted=converted)
        os.replace(part.with_suffix(".bin"), _quantised(options).with_suffix(".bin"))
        os.replace(part, _quantised(options))
    return options.precision


def _quantised(options: RunOptions) -> Path:
    assert options.converted is not None
    return options.converted.with_name(f"{options.converted.stem}-{options.precision}.xml")


@cache
def _import_openvino() -> Any:
    """OpenVINO, ready for many threads, and without its telemetry.

    That would tell its makers of every start, in a process forked for it. And where two threads are the first to look
    into a tensor, at the same time, each waits for the other for ever: so the first to look is this one, alone.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # a None there forbids the import
    openvino = importlib.import_module("openvino")
    assert openvino.Tensor(np.zeros(1, np.uint8)).data is not None
    return openvino


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
