"""The measurement of a GPU: what needs none runs here on the CPU."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from benchmarks import results
from benchmarks.speed import gpu, network_rates
from benchmarks.speed.decoding import feed_rate, on_the_cpu, resized
from benchmarks.speed.gpu_findings import Measurements, sentences, tables
from benchmarks.speed.network_rates import NetworkRate, calls_per_second, lowest_cosine
from retrieval.images.decode import load_image
from retrieval.images.resize import resize_image
from retrieval.networks.runtimes import RUNTIMES

FOUND = Measurements(
    device="NVIDIA Test",
    pictures=64,
    cosines={"float16": 0.9995, "float32": 0.99999},
    networks=[NetworkRate("float32", 1, 500.0, 200_000_000), NetworkRate("float16", 64, 8000.0, 900_000_000)],
    runtime={"float16": 4000.0, "float32": 2000.0},
    cpu=50.0,
    decoding={"16 CPU cores": 1000.0, "nvJPEG": 9000.0},
    described={"16 CPU cores": 960.0, "nvJPEG": 7600.0},
    problem="",
    builds={"openvino": 20.0, "torch-cuda": 90.0},
)


@pytest.fixture
def jpegs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six small JPEG files."""
    monkeypatch.setattr(gpu, "DRAWN", (160, 120))
    folder = tmp_path / "gallery"
    folder.mkdir()
    gpu.draw_jpegs(6, folder)
    return folder


def with_gpu(monkeypatch: pytest.MonkeyPatch, found: Measurements) -> None:
    """Pretend that this machine has a GPU with these measurements."""
    runtime = replace(RUNTIMES["torch-cuda"], precisions=lambda: ("float16", "float32"))
    monkeypatch.setitem(RUNTIMES, "torch-cuda", runtime)
    monkeypatch.setattr(gpu, "measure", lambda *_: found)
    monkeypatch.setattr(gpu.torch.cuda, "get_device_name", lambda: found.device)


@pytest.fixture
def results_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "RESULTS.md"
    file.write_text("# Results\n")
    monkeypatch.setattr(results, "written_to", file)
    return file


def test_without_a_gpu_one_sentence_says_so(monkeypatch, results_file):
    monkeypatch.setitem(RUNTIMES, "torch-cuda", replace(RUNTIMES["torch-cuda"], precisions=lambda: ()))
    with pytest.raises(SystemExit) as ended:
        gpu.main([])
    assert ended.value.code == gpu.NO_GPU and gpu.NO_GPU.count(".") == 1  # a text exits with 1
    assert results_file.read_text() == "# Results\n"


def test_all_is_measured_on_the_cpu_too(monkeypatch, jpegs, tmp_path):
    for module, constants in {
        gpu: {"SIZE": (96, 64), "BATCHES": (1, 2), "PRECISIONS": ("float32", "bfloat16"), "COMPARED": 4},
        network_rates: {"SECONDS": 0.01, "WARM_UPS": 1},
    }.items():
        for name, value in constants.items():
            monkeypatch.setattr(module, name, value)
    found = gpu.measure(jpegs, "cpu", "this CPU", tmp_path)
    assert found.pictures == 4 and found.cosines["float32"] > 0.99999 and found.agrees
    assert [(each.precision, each.batch) for each in found.networks] == [
        *(("float32", batch) for batch in (1, 2)),
        *(("bfloat16", batch) for batch in (1, 2)),
    ]
    rates = [each.rate for each in found.networks] + [found.cpu, *found.builds.values(), *found.runtime.values()]
    assert min([*rates, *found.decoding.values(), *found.described.values()]) > 0
    assert found.problem and len(found.decoding) == 1
    assert {"torch-cpu", "torch-cpu but no keypoints"} <= found.builds.keys()
    assert len(sentences(found)) == 6 and len(tables(found)) == 4


def test_results_are_recorded_and_said(monkeypatch, results_file, capsys):
    monkeypatch.setattr(gpu, "draw_jpegs", lambda count, folder: None)
    with_gpu(monkeypatch, FOUND)
    gpu.main([])
    text = results_file.read_text()
    assert "## The network on a GPU: NVIDIA Test" in text and text.count("\n| ---") == 5
    assert "The vectors of NVIDIA Test are those of the CPU" in capsys.readouterr().out


def test_different_vectors_are_a_failure(monkeypatch, results_file, capsys):
    monkeypatch.setattr(gpu, "draw_jpegs", lambda count, folder: None)
    with_gpu(monkeypatch, replace(FOUND, cosines={"float16": 0.998, "float32": 1.0}))
    with pytest.raises(SystemExit) as ended:
        gpu.main([])
    assert ended.value.code == 1
    assert "differ from those of the CPU, so do not use this runtime" in capsys.readouterr().out


def test_the_lowest_cosine_is_that_of_any_picture_and_layer():
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (1, 4, 4, 3), np.uint8) for _ in range(5)]

    def right(pixels):
        values = pixels.astype(np.float32)[..., :2].transpose(0, 3, 1, 2)  # (1, 2, 4, 4)
        return values, values + 1

    def wrong(pixels):
        first, second = right(pixels)
        return (first, second * [[[[1]], [[-1]]]]) if pixels is pictures[3] else (first, second)

    assert lowest_cosine(right, right, pictures, 3) == pytest.approx(1)
    assert lowest_cosine(wrong, right, pictures, 3) < 0.9


def test_the_decoder_gives_batches_in_order(jpegs):
    files = sorted(jpegs.iterdir())
    found = list(on_the_cpu("cpu")([file.read_bytes() for file in files], (80, 60), 4))
    assert [tuple(batch.shape) for batch in found] == [(4, 60, 80, 3), (2, 60, 80, 3)]
    expected = np.stack([resize_image(load_image(file), 80, 60) for file in files])
    differences = np.abs(torch.cat(found).numpy()[:, None].astype(int) - expected).mean(axis=(2, 3, 4))  # (6, 6)
    assert differences.diagonal().max() < 10  # not zero, since they are decoded at half the size
    assert differences[~np.eye(6, dtype=bool)].min() > 20


def test_pictures_of_several_sizes_become_one_batch():
    ramp = np.tile(np.arange(0, 200, dtype=np.uint8), (100, 1))
    pictures = [np.stack([ramp, ramp // 2, 255 - ramp]), np.full((3, 40, 50), 7, np.uint8)]
    batch = resized([torch.from_numpy(picture) for picture in pictures], (50, 25)).numpy()
    expected = Pillow.fromarray(pictures[0].transpose(1, 2, 0)).resize((50, 25), Pillow.Resampling.BILINEAR)
    assert batch.shape == (2, 25, 50, 3) and batch.dtype == np.uint8
    assert np.abs(batch[0].astype(int) - np.asarray(expected)).max() <= 1 and (batch[1] == 7).all()


def test_a_feed_computes_every_picture(jpegs):
    files, counts = [file.read_bytes() for file in jpegs.iterdir()], []
    assert feed_rate(on_the_cpu("cpu"), files, (32, 24), 4, "cpu", lambda pixels: counts.append(len(pixels))) > 0
    assert counts == [4, 4, 2]  # the first batch warms up


def test_batches_that_need_too_much_memory_are_left_out(monkeypatch):
    monkeypatch.setattr(network_rates, "SECONDS", 0.0001)

    class Greedy(torch.nn.Module):
        def forward(self, pixels):
            if len(pixels) > 2 and not torch.is_autocast_enabled("cpu"):
                raise torch.OutOfMemoryError
            return pixels

    found = network_rates.network_rates(
        Greedy(), np.zeros((1, 4, 4, 3), np.uint8), "cpu", ["float32", "bfloat16"], [1, 2, 4, 8]
    )
    batches = {name: [each.batch for each in found if each.precision == name] for name in ("float32", "bfloat16")}
    assert batches == {"float32": [1, 2], "bfloat16": [1, 2, 4, 8]} and {each.memory for each in found} == {0}


def test_calls_are_counted(monkeypatch):
    times = iter(range(100))
    monkeypatch.setattr(network_rates.time, "perf_counter", lambda: next(times))
    monkeypatch.setattr(network_rates, "SECONDS", 3)
    calls = []
    rate = calls_per_second(lambda: calls.append(1), "cpu")
    assert len(calls) - network_rates.WARM_UPS == 2 and rate == pytest.approx(2 / 4)


def said(changes: Mapping[str, object]) -> str:
    return " ".join(sentences(replace(FOUND, **changes)))


def test_the_sentences_follow_the_figures():
    text = said({})
    assert "0.99950 in float16, 0.99999 in float32" in text
    assert "fastest in float16 with 64 pictures at once: 8000 pictures/s, with 900 MB of GPU memory" in text
    assert "160.0 times as fast" in text and "4000 pictures/s in float16, 50% of that" in text
    assert "Decoding with 16 CPU cores holds the network up: files become features at 960 pictures/s, 12%" in text
    assert "Decoding with nvJPEG keeps up with the network" in text
    assert "nvJPEG is the faster decoder before this network, 7.9 times as fast" in text
    assert "reads 20.0 pictures/s with openvino and 90.0 pictures/s with torch-cuda" in text


def test_the_sentences_say_what_is_missing_or_slower():
    slower = {"described": {"16 CPU cores": 7900.0, "nvJPEG": 3950.0}}
    assert "16 CPU cores is the faster decoder before this network, 2.0 times" in said(slower)
    text = said({"described": {"16 CPU cores": 960.0}, "problem": "torchvision says no."})
    assert "nvJPEG was not measured: torchvision says no." in text and "faster decoder" not in text


def test_only_jpeg_files_of_a_data_set_are_read(tmp_path, jpegs):
    gallery, folder = tmp_path / "mixed", tmp_path / "copied"
    for new in (gallery, folder):
        new.mkdir()
    (jpegs / "00000.jpg").rename(gallery / "a.jpg")
    (jpegs / "00001.jpg").rename(gallery / "b.JPG")
    Pillow.new("RGB", (90, 90)).save(gallery / "c.png")
    gpu.copy_jpegs(gallery, 9, folder)
    assert [path.name for path in sorted(folder.iterdir())] == ["00000.jpg", "00001.jpg"]
    for path in (gallery / "a.jpg", gallery / "b.JPG"):
        path.unlink()
    with pytest.raises(SystemExit, match="no JPEG file"):
        gpu.copy_jpegs(gallery, 9, folder)
