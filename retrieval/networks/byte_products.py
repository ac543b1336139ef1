"""Multiply matrices of bytes with the 8-bit instructions of the CPU, through OpenVINO."""

import importlib.util
import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from retrieval.networks.openvino_runtime import import_openvino, openvino_core

Bytes = NDArray[np.uint8]
MOST = 127
"""The largest byte that may be multiplied. Older processors add products in pairs, which larger ones would overflow."""


def start_byte_products(width: int) -> Callable[[Bytes, Bytes], NDArray[np.float32]] | None:
    """A function that multiplies matrices (K, width) and (L, width) -> (K, L), several times as fast as in float32.

    Results are whole numbers, as in float32. Each thread may change its result until it calls the function again. None
    without OpenVINO, or if its results are not exact here.
    """
    if importlib.util.find_spec("openvino") is None:
        return None
    openvino = import_openvino()
    from openvino import opset13 as ops

    def range_of(matrix: object, lowest: float, highest: float) -> object:
        edges = [ops.constant(np.float32(edge)) for edge in (lowest, highest)]
        return ops.fake_quantize(ops.convert(matrix, "f32"), *edges, *edges, 256)

    one, other = (ops.parameter([-1, width], np.uint8) for _ in range(2))
    # These ranges of the values let OpenVINO multiply unsigned by signed bytes.
    products = ops.matmul(range_of(one, 0, 255), range_of(other, -128, 127), False, True)
    properties = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": "1",
        "NUM_STREAMS": "0",  # the calling thread computes
        "ENABLE_CPU_PINNING": "NO",
    }
    compiled = openvino_core(openvino).compile_model(openvino.Model([products], [one, other]), "CPU", properties)
    local = threading.local()  # an infer request is not thread-safe

    def multiply(a: Bytes, b: Bytes) -> NDArray[np.float32]:
        if not hasattr(local, "request"):
            local.request = compiled.create_infer_request()
        return np.asarray(local.request.infer([a, b], share_inputs=True, share_outputs=True)[0])

    generator = np.random.default_rng(0)
    a, b = (generator.integers(0, MOST, (count, width), np.uint8, endpoint=True) for count in (9, 17))
    return multiply if np.array_equal(multiply(a, b), a.astype(np.float32) @ b.T.astype(np.float32)) else None
