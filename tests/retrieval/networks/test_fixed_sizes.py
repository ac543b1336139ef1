"""A network that is compiled once more for frequent image sizes gives the same bits, from any thread."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from retrieval.networks import fixed_sizes
from retrieval.networks.backbones import BACKBONES, BUNDLED
from retrieval.networks.fixed_sizes import FixedSizes
from retrieval.networks.openvino_runtime import openvino_precisions, start_openvino
from retrieval.networks.run_options import RunOptions
from retrieval.networks.weights import need_weights
from retrieval.types import Run

pytestmark = pytest.mark.skipif(not openvino_precisions(), reason="OpenVINO is not installed")


class Doubling:
    """A compiled network: twice the pixels, plus `more`."""

    def __init__(self, more: float = 0.0) -> None:
        self.more, self.calls = more, 0

    def create_infer_request(self) -> "Doubling":
        return self

    def infer(self, inputs):
        self.calls += 1
        return {0: inputs[0] * np.float32(2) + np.float32(self.more)}


@pytest.fixture(autouse=True)
def after_three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixed_sizes, "OFTEN", 3)


def pictures(height: int, count: int = 5) -> list[np.ndarray]:
    return [np.full((1, height, 64, 3), seed, np.uint8) for seed in range(count)]


def test_a_frequent_size_gets_a_network_of_its_own():
    any_size, own = Doubling(), Doubling()
    run = FixedSizes(any_size, lambda shape: own, most=1)
    for picture in pictures(32) + pictures(96):
        assert np.array_equal(run(picture)[0], picture * 2.0)
    assert (any_size.calls, own.calls) == (3 + 5, 1 + 2)  # the third picture was computed by both; 96 is one too many


def test_a_network_that_gives_other_bits_is_not_used():
    any_size, own = Doubling(), Doubling(more=1e-3)
    run = FixedSizes(any_size, lambda shape: own, most=1)
    for picture in pictures(32):
        assert np.array_equal(run(picture)[0], picture * 2.0)
    assert (any_size.calls, own.calls) == (5, 1)


def test_a_network_that_cannot_be_compiled_is_not_used():
    def fail(shape):
        raise RuntimeError("out of memory")

    any_size = Doubling()
    run = FixedSizes(any_size, fail, most=1)
    for picture in pictures(32):
        assert np.array_equal(run(picture)[0], picture * 2.0)
    assert any_size.calls == 5


@pytest.mark.slow  # converts the network
@pytest.mark.parametrize("precision", openvino_precisions())
def test_the_bundled_network_gives_the_same_bits_in_all_threads(precision, offline: Path, draw):
    backbone, converted = BACKBONES[BUNDLED], offline / "fixed sizes" / "net.xml"

    def start(sizes: int) -> Run:
        options = RunOptions(precision, streams=2, threads=2, converted=converted, fixed_sizes=sizes)
        return start_openvino(lambda: backbone.make(need_weights(backbone.weights)), options)

    plain, fixed = start(0), start(2)
    shown = [draw(seed, *size)[None] for seed in range(8) for size in ((128, 96), (96, 160), (64, 64))]
    with ThreadPoolExecutor(3) as threads:
        for expected, layers in zip(threads.map(plain, shown), threads.map(fixed, shown), strict=True):
            assert len(layers) == 2
            assert all(np.array_equal(*pair) for pair in zip(layers, expected, strict=True))
    assert isinstance(fixed, FixedSizes) and len(fixed._fixed) == 2
