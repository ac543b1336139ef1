"""All runtimes on this machine give the same features."""

import errno
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from unittest import mock
from unittest.mock import Mock

import numpy as np
import pytest

from retrieval.errors import RuntimeMissing, UnknownName
from retrieval.networks import openvino_runtime
from retrieval.networks.backbones import BACKBONES, BUNDLED
from retrieval.networks.run_options import RunOptions
from retrieval.networks.runtimes import RUNTIMES, choose_runtime
from retrieval.networks.weights import need_weights
from retrieval.types import Run, unit

PROJECT = Path(__file__).parents[3]
HERE = [name for name, runtime in RUNTIMES.items() if runtime.precisions()]


def make():
    backbone = BACKBONES[BUNDLED]
    return backbone.make(need_weights(backbone.weights))


@pytest.fixture(scope="module")
def runs(offline: Path) -> dict[str, Run]:
    options = RunOptions("float32", streams=2, converted=offline / "runtimes" / "net.xml")
    return {name: RUNTIMES[name].start(make, options) for name in HERE}


@pytest.fixture(scope="module")
def pictures(draw) -> list[np.ndarray]:
    return [draw(seed, *size)[None] for seed, size in enumerate([(128, 96), (256, 256), (96, 160), (32, 32)])]


def test_r74_network_threads_may_leave_a_core_that_another_program_uses(monkeypatch: pytest.MonkeyPatch):
    openvino = mock.MagicMock()
    monkeypatch.setattr(openvino_runtime, "import_openvino", lambda: openvino)
    openvino_runtime.start_openvino(make, RunOptions("int8-0", converted=Path("net.xml")))
    _, device, properties = openvino.Core().compile_model.call_args.args
    assert device == "CPU" and properties["ENABLE_CPU_PINNING"] == "NO"


def pooled(layer: np.ndarray) -> np.ndarray:
    return unit(layer.mean(axis=(2, 3)))


def assert_equal(layers: tuple[np.ndarray, ...], expected: tuple[np.ndarray, ...]) -> None:
    assert isinstance(layers, tuple) and len(layers) == len(expected) == 2
    for layer, its in zip(layers, expected, strict=True):
        assert layer == pytest.approx(its, abs=1e-4)


@pytest.mark.parametrize("name", [name for name in HERE if name != "torch-cpu"])
def test_r43_the_same_as_torch_on_the_cpu(runs, pictures, name):
    for pixels in pictures:
        for layer, expected in zip(runs[name](pixels), runs["torch-cpu"](pixels), strict=True):
            assert layer.shape == expected.shape and layer.dtype == np.float32
            assert np.sum(pooled(layer) * pooled(expected), axis=1).min() > 0.9999


@pytest.mark.parametrize("name", HERE)
def test_last_layer_comes_first(runs, name):
    layers = runs[name](np.zeros((2, 96, 160, 3), np.uint8))
    channels = BACKBONES[BUNDLED].channels
    assert [layer.shape for layer in layers] == [(2, channels[0], 3, 5), (2, channels[1], 6, 10)]


@pytest.mark.parametrize("name", HERE)
def test_results_are_not_overwritten_by_later_calls(runs, pictures, name):
    first = runs[name](pictures[0])
    kept = [layer.copy() for layer in first]
    runs[name](255 - pictures[0])
    assert all(np.array_equal(layer, its) for layer, its in zip(first, kept, strict=True))


@pytest.mark.parametrize("name", HERE)
def test_r43_many_threads_get_each_their_own(runs, pictures, name):
    alone = [runs[name](pixels) for pixels in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(runs[name], pictures * 6))
    for number, layers in enumerate(together):
        assert_equal(layers, alone[number % len(pictures)])


def test_converted_network_is_cached(runs, pictures, offline: Path):
    kept = offline / "runtimes" / "net.xml"
    assert kept.exists() and kept.with_suffix(".bin").exists()
    assert sorted(path.suffix for path in kept.parent.iterdir()) == [".bin", ".blob", ".xml"]
    again = RUNTIMES["openvino"].start(lambda: pytest.fail("it was made anew"), RunOptions(converted=kept))
    assert_equal(again(pictures[0]), runs["openvino"](pictures[0]))


def mean_of_cells():
    """A network without weights: the mean colour of each cell."""
    import torch

    class Mean(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.avg_pool2d(pixels.permute(0, 3, 1, 2).float(), 32)

    return Mean().eval()


def test_damaged_converted_network_is_replaced(pictures, tmp_path: Path):
    made = threading.Event()

    def tiny():
        made.set()
        return mean_of_cells()

    path = tmp_path / "net.xml"
    path.write_text("<net")
    run = RUNTIMES["openvino"].start(tiny, RunOptions(converted=path))
    assert made.is_set()
    cells = pictures[1][0].reshape(8, 32, 8, 32, 3).mean(axis=(1, 3))
    assert run(pictures[1])[0][0] == pytest.approx(cells.transpose(2, 0, 1), rel=1e-3, abs=0.1)
    made.clear()
    RUNTIMES["openvino"].start(tiny, RunOptions(converted=path))
    assert not made.is_set()  # the damaged file was replaced


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("fault", ["no folder", "full", "full for OpenVINO", "read-only"])
def test_r68_a_network_that_cannot_be_saved_is_kept_in_memory(pictures, tmp_path, monkeypatch, caplog, fault):
    path = tmp_path / "networks" / "net.xml"
    if fault == "no folder":
        path.parent.touch()  # a file where the folder should be
    else:
        path.parent.mkdir()
    if fault == "full":
        monkeypatch.setattr(openvino_runtime.os, "replace", full_disk)
    elif fault == "full for OpenVINO":
        error = RuntimeError("basic_ios::clear: iostream error")
        monkeypatch.setattr(openvino_runtime.import_openvino(), "save_model", Mock(side_effect=error))
    elif fault == "read-only":
        monkeypatch.setattr(
            openvino_runtime.tempfile, "TemporaryDirectory", Mock(side_effect=PermissionError(13, "No"))
        )
    for _ in range(2):
        run = RUNTIMES["openvino"].start(mean_of_cells, RunOptions(converted=path))
        assert run(pictures[0])[0].shape == (1, 3, 3, 4)
    assert [str(path.parent) in message and "kept in memory" in message for message in caplog.messages] == [True]
    assert not list(tmp_path.rglob("*.xml")), "no half of a network is left"


def test_damaged_compiled_network_is_replaced(runs, pictures, offline: Path):
    kept = offline / "runtimes" / "net.xml"
    for blob in kept.parent.glob("*.blob"):
        blob.write_bytes(blob.read_bytes()[:100_000])
    again = RUNTIMES["openvino"].start(lambda: pytest.fail("it was made anew"), RunOptions(converted=kept))
    assert_equal(again(pictures[0]), runs["openvino"](pictures[0]))


def test_first_available_runtime_is_chosen():
    assert choose_runtime()[0].name == HERE[0]
    assert choose_runtime()[1] == choose_runtime()[0].precisions()[0]
    assert choose_runtime("torch-cpu", "float32") == (RUNTIMES["torch-cpu"], "float32")
    with pytest.raises(UnknownName, match="choose from: openvino, torch-cpu, torch-cuda"):
        choose_runtime("opencl")


@pytest.mark.parametrize("name", ["auto", "torch-cpu"])
def test_unavailable_precision_falls_back_to_float32(name):
    runtime, precision = choose_runtime(name, "float8")
    assert precision == "float32" and runtime.name in (HERE if name == "auto" else [name])


def test_runtime_is_chosen_by_precision(monkeypatch):
    able = {"torch-cuda": ("float16", "float32"), "openvino": ("bfloat16", "float32")}
    for name in able:
        monkeypatch.setitem(RUNTIMES, name, replace(RUNTIMES[name], precisions=partial(able.get, name)))
    assert choose_runtime() == (RUNTIMES["torch-cuda"], "float16")
    assert choose_runtime(precision="bfloat16") == (RUNTIMES["openvino"], "bfloat16")
    assert choose_runtime("openvino", "float16") == (RUNTIMES["openvino"], "float32")


def test_unavailable_runtime_is_reported(monkeypatch):
    monkeypatch.setitem(RUNTIMES, "torch-cuda", replace(RUNTIMES["torch-cuda"], precisions=lambda: ()))
    with pytest.raises(RuntimeMissing, match="torch-cuda is not available on this machine; choose auto"):
        choose_runtime("torch-cuda")


def test_first_calls_of_a_process_may_be_concurrent():
    """In a separate process: the first two threads to access a tensor would otherwise deadlock."""
    script = """
import faulthandler, sys, threading
import numpy as np
from retrieval.networks.openvino_runtime import import_openvino

faulthandler.dump_traceback_later(30, exit=True)
openvino = import_openvino()
given = openvino.opset13.parameter([8, 4], np.float32)
model = openvino.Core().compile_model(openvino.Model([openvino.opset13.relu(given)], [given]), "CPU")
tensors = [model.create_infer_request().get_input_tensor() for _ in range(8)]
sys.setswitchinterval(1e-6)
together = threading.Barrier(8)

def look(tensor):
    together.wait()
    tensor.data

threads = [threading.Thread(target=look, args=(tensor,)) for tensor in tensors]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_openvino_runs_without_its_telemetry(tmp_path):
    """In a separate process, which opens no connection and starts no process: there is no telemetry."""
    script = """
import multiprocessing, sys, urllib.request
import torch
from retrieval.networks.runtimes import RUNTIMES, RunOptions

class Small(torch.nn.Module):
    def forward(self, pixels):
        return (pixels.permute(0, 3, 1, 2).float(),)

def told(*_, **__):
    print("told")

urllib.request.urlopen = multiprocessing.Process = told
RUNTIMES["openvino"].start(Small, RunOptions())
print(sys.modules["openvino_telemetry"])
"""
    outside_of_ci = {name: value for name, value in os.environ.items() if name != "CI"} | {"HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, env=outside_of_ci, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["None"]
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif("openvino" not in HERE or not Path("/proc/self/statm").exists(), reason="OpenVINO on Linux")
def test_r46_pictures_of_ever_new_sizes_do_not_take_ever_more_memory(offline):
    run = RUNTIMES["openvino"].start(make, RunOptions("float32", converted=offline / "runtimes" / "net.xml"))
    sizes = list(product(range(64, 124, 4), repeat=2))

    def held_after(some: list[tuple[int, int]]) -> int:
        for size in some:
            run(np.zeros((1, *size, 3), np.uint8))
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")

    first = held_after(sizes[:75])
    assert held_after(sizes[75:150]) - first < 60e6


def test_a_signal_is_handled_after_networks_were_dropped_in_another_thread():
    pytest.importorskip("openvino")
    script = """
import os, signal, threading
from retrieval.networks.openvino_runtime import import_openvino, openvino_core

kept = [openvino_core(import_openvino())]
kept[0].get_property("CPU", "OPTIMIZATION_CAPABILITIES")
thread = threading.Thread(target=kept.clear)
thread.start()
thread.join()
signal.signal(signal.SIGTERM, lambda *_: print("handled", flush=True))
os.kill(os.getpid(), signal.SIGTERM)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr
