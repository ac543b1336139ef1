"""Check and measure the network on an NVIDIA GPU: python -m benchmarks.speed.gpu [DATASET].

Compares its vectors with those of the CPU, then measures pictures per second by precision and batch size, decoding on
the CPU and with nvJPEG, and a whole build. Draws its own pictures unless it is given a labelled data set, of whose
gallery it reads the JPEG files. Exits with 1 if there is no such GPU or if the vectors differ.
"""

import shutil
import sys
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow

from benchmarks.build_speed import timed_build
from benchmarks.results import record, table
from benchmarks.speed.decoding import Feed, feed_rate, on_the_cpu, with_nvjpeg
from benchmarks.speed.gpu_findings import Measurements, sentences, tables
from benchmarks.speed.network_rates import computing, lowest_cosine, network_rates, runtime_rate
from boxfind.embedders import embedder_for_building
from boxfind.evaluation.dataset_formats import read_dataset
from boxfind.settings import Settings
from index.storage.folder_scan import find_pictures
from retrieval.cpus import cpu_count
from retrieval.images.decode import decode_picture
from retrieval.images.resize import resize_image
from retrieval.networks.backbones import BACKBONES, BUNDLED
from retrieval.networks.run_options import RunOptions
from retrieval.networks.runtimes import MAX_BATCH, RUNTIMES
from retrieval.networks.torchvision_compat import torchvision_state
from retrieval.networks.weights import need_weights
from retrieval.types import Pixels, quiet

GPU = "torch-cuda"
SIZE = 640, 480
"""Width and height of the network's input: a 4:3 photograph at the default side."""
DRAWN = 1600, 1200
"""Width and height of a drawn JPEG file."""
BATCHES = (1, 8, 32, 64, 128, 256)
PRECISIONS = ("float32", "bfloat16", "float16")
COMPARED = 64
"""Number of pictures whose vectors are compared, of several shapes."""
NO_GPU = "This machine has no NVIDIA GPU that torch can use, so nothing was measured."


def main(arguments: Sequence[str] | None = None) -> None:
    parser = ArgumentParser(
        "python -m benchmarks.speed.gpu", description=__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path, nargs="?", help="folder of a labelled data set (docs/evaluation.md)")
    parser.add_argument("--pictures", type=int, default=512, help="JPEG files to read")
    given = parser.parse_args(arguments)
    if not RUNTIMES[GPU].precisions():
        sys.exit(NO_GPU)
    with tempfile.TemporaryDirectory() as scratch:
        gallery = Path(scratch) / "gallery"
        gallery.mkdir()
        if given.dataset:
            copy_jpegs(read_dataset(given.dataset.resolve()).gallery, given.pictures, gallery)
        else:
            draw_jpegs(given.pictures, gallery)
        found = measure(gallery, "cuda", str(torch.cuda.get_device_name()), Path(scratch))
    said = sentences(found)
    record(f"The network on a GPU: {found.device}", *tables(found), table(["what it means"], [[one] for one in said]))
    print(*said, sep="\n")
    if not found.agrees:
        sys.exit(1)


def measure(gallery: Path, device: str, name: str, scratch: Path) -> Measurements:
    """Measure everything for the JPEG files of a folder; `device` is that of torch, "cpu" only in tests."""
    files = [path.read_bytes() for path in sorted(gallery.iterdir())]
    picture = resize_image(decode_picture(files[0], enough=max(SIZE)).image, *SIZE)[None]
    network, runtime = _make(), GPU if device == "cuda" else "torch-cpu"
    pictures = _several_shapes(files)
    cosines, runtimes = _runtimes(runtime, pictures, picture)
    networks = network_rates(network, picture, device, PRECISIONS, BATCHES)
    best = max(networks, key=lambda each: each.rate)
    compute, feeds = computing(network, device, best.precision), {f"{cpu_count()} CPU cores": on_the_cpu(device)}
    problem = _nvjpeg_problem(files, device)
    feeds |= {} if problem else {"nvJPEG": with_nvjpeg}
    decoding, described = _decoders(feeds, files, best.batch, device, compute)
    cpu = "openvino" if RUNTIMES["openvino"].precisions() else "torch-cpu"
    builds = {each: _build(gallery, scratch, runtime=each) for each in dict.fromkeys((cpu, runtime))}
    builds[f"{runtime} but no keypoints"] = _build(gallery, scratch, runtime=runtime, keypoints=0)
    options = RunOptions(precision=RUNTIMES[cpu].precisions()[0], streams=cpu_count())
    cpu_rate = runtime_rate(RUNTIMES[cpu].start(_make, options), picture, cpu_count())
    return Measurements(
        name, len(pictures), cosines, networks, runtimes, cpu_rate, decoding, described, problem, builds
    )


def draw_jpegs(count: int, folder: Path) -> None:
    """Write JPEG files of DRAWN pixels with coarse and fine structure. Deterministic."""
    for number in range(count):
        rng = np.random.default_rng(number)
        coarse = Pillow.fromarray(rng.integers(0, 256, (30, 40, 3), np.uint8)).resize(DRAWN, Pillow.Resampling.BICUBIC)
        noisy = np.asarray(coarse, np.float32) + rng.normal(0, 8, (DRAWN[1], DRAWN[0], 1))
        picture = Pillow.fromarray(noisy.clip(0, 255).astype(np.uint8))
        picture.save(folder / f"{number:05d}.jpg", quality=90)


def copy_jpegs(gallery: Path, count: int, folder: Path) -> None:
    """Copy up to `count` JPEG files of a gallery. Exits if there are none."""
    found = [file.path for file in find_pictures(gallery)[0] if file.path.suffix.lower() in (".jpg", ".jpeg")]
    if not found:
        sys.exit(f"There is no JPEG file in {gallery}; leave the data set out to measure with drawn pictures.")
    for number, path in enumerate(found[:count]):
        shutil.copy(path, folder / f"{number:05d}.jpg")


def _make() -> Any:
    backbone = BACKBONES[BUNDLED]
    return backbone.make(need_weights(backbone.weights))


def _several_shapes(files: Sequence[bytes]) -> list[Pixels]:
    """Pictures (1, H, W, 3) of four shapes."""
    shapes = (SIZE, SIZE[::-1], (SIZE[0], SIZE[0] // 2), (SIZE[1], SIZE[1]))
    return [
        resize_image(decode_picture(data, enough=max(SIZE)).image, *shapes[number % len(shapes)])[None]
        for number, data in enumerate(files[:COMPARED])
    ]


def _runtimes(name: str, pictures: list[Pixels], picture: Pixels) -> tuple[dict[str, float], dict[str, float]]:
    """By precision of a runtime: the lowest cosine to the CPU's vectors, and pictures per second."""
    reference = RUNTIMES["torch-cpu"].start(_make, RunOptions())
    cosines, rates = {}, {}
    for precision in RUNTIMES[name].precisions():
        run = RUNTIMES[name].start(_make, RunOptions(precision=precision))
        cosines[precision] = lowest_cosine(run, reference, pictures, MAX_BATCH)
        rates[precision] = runtime_rate(run, picture, 2 * MAX_BATCH)
    return cosines, rates


def _nvjpeg_problem(files: Sequence[bytes], device: str) -> str:
    """Why nvJPEG cannot decode these files; empty if it can."""
    if device != "cuda":
        return "it needs an NVIDIA GPU."
    if torchvision_state() != "healthy":
        return "the installed torchvision has no compiled operators for this torch."
    try:
        for _ in with_nvjpeg(files, SIZE, MAX_BATCH):
            continue
    except (RuntimeError, ImportError) as error:
        return f"torchvision says {str(error).splitlines()[0]}"
    return ""


def _decoders(
    feeds: Mapping[str, Feed], files: Sequence[bytes], batch: int, device: str, compute: Any
) -> tuple[dict[str, float], dict[str, float]]:
    """By decoder: pictures per second from files to pixels, and to features."""
    decoding = {name: feed_rate(feed, files, SIZE, batch, device) for name, feed in feeds.items()}
    described = {name: feed_rate(feed, files, SIZE, batch, device, compute) for name, feed in feeds.items()}
    return decoding, described


def _build(gallery: Path, scratch: Path, **changes: Any) -> float:
    """Pictures per second of a build in an empty folder, from its first quarter on."""
    settings = Settings.load(gallery=gallery, index=scratch / "index", data=scratch / "data")
    settings = settings.changed(backbone=BUNDLED, text=False, **changes)
    embedder_for_building(settings, quiet)  # converts the network
    return timed_build(settings)[1]


if __name__ == "__main__":
    main()
