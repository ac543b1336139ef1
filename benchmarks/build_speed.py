"""Rate of a build, compared with the loop of typical tutorials. A short run compares the first case only."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import torch

from benchmarks.bench import READING, Bench
from benchmarks.results import record, table
from boxfind.embedders import embedder_for_building
from boxfind.engine import Engine
from boxfind.settings import Settings
from retrieval.descriptors.embedder import network_size
from retrieval.networks.backbones import BACKBONES, find_backbone
from retrieval.networks.runtimes import choose_runtime
from retrieval.networks.torchvision_compat import import_torchvision
from retrieval.networks.weights import file_sha256, need_weights
from retrieval.types import quiet

CASES = (("efficientnet-lite0", "auto"), ("efficientnet-lite0", "int8"), ("resnet50", "auto"))
"""Network and precision of each comparison."""
ROUNDS = 3
HEADER = [
    *("network", "loop, pictures/s", "loop with our pixels", "build", "describing", "without keypoints"),
    *("build / loop", "describing / loop", "without keypoints / loop", "without keypoints / loop with our pixels"),
]


def measure(bench: Bench) -> None:
    runtime, precision = choose_runtime(bench.settings.runtime)
    cases = CASES[:1] if bench.short else CASES
    with random_resnet50(bench.scratch / "weights"):
        galleries = bench.galleries(ROUNDS)
        rows = [_row(bench.settings.changed(backbone=name, precision=kind), galleries) for name, kind in cases]
    record(f"Speed of a build ({runtime.name}, {precision})", table(HEADER, rows))


def timed_build(settings: Settings) -> tuple[float, float, float]:
    """Build an index of the gallery in an empty folder.

    Returns pictures per second until the last is described, pictures per second until the index is published, and the
    seconds in all. Rates count from the first quarter of the pictures on, when all processes have started.
    """
    ticks = []

    def progress(stage: str, done: int, _: int) -> None:
        if stage == READING:
            ticks.append((time.perf_counter(), done))

    with tempfile.TemporaryDirectory() as index:
        began = time.perf_counter()
        Engine(settings.changed(index=Path(index), first_wave=0)).builds.build(
            progress
        )  # so keypoints are found at once
        ended = time.perf_counter()
    last, total = ticks[-1]
    first, before = next((seconds, done) for seconds, done in ticks if done >= total / 4)
    return (total - before) / (last - first), (total - before) / (ended - first), ended - began


def tutorial_loop(paths: list[Path], settings: Settings, square: bool) -> float:
    """Pictures per second of the loop: OpenCV reads and resizes, torch runs the network in float32, one by one.

    Pictures become squares, as in tutorials, or get the size that a build uses.
    """
    device = "cuda" if settings.runtime == "torch-cuda" else "cpu"
    backbone, side = find_backbone(settings.build.backbone), settings.build.side
    network: Any = backbone.make(need_weights(backbone.weights)).to(device)
    mean, std = network.mean.to(device), network.std.to(device)

    def describe(path: Path) -> None:
        read: Any = cv2.imread(str(path))
        image = cv2.cvtColor(read, cv2.COLOR_BGR2RGB)
        size = (side, side) if square else network_size(image.shape[1], image.shape[0], side, backbone.stride)
        pixels = np.ascontiguousarray(cv2.resize(image, size).transpose(2, 0, 1))
        batch = torch.from_numpy(pixels)[None].to(device)
        with torch.inference_mode():
            network.network((batch.float() - mean) / std)[0].mean(dim=(2, 3)).cpu().numpy()

    for path in paths[:3]:
        describe(path)
    began = time.perf_counter()
    for path in paths:
        describe(path)
    return len(paths) / (time.perf_counter() - began)


@contextmanager
def random_resnet50(folder: Path) -> Iterator[None]:
    """Give ResNet50 random weights, on which speed does not depend. Other weights are searched in `folder` too."""
    import_torchvision()
    from torchvision.models import resnet50

    backbone = find_backbone("resnet50")
    file = folder / "hub" / "checkpoints" / backbone.weights.file
    file.parent.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(resnet50(weights=None).state_dict(), file)
    made = replace(backbone, weights=replace(backbone.weights, sha256=file_sha256(file)))
    with mock.patch.dict(BACKBONES, {made.name: made}), mock.patch.dict(os.environ, {"TORCH_HOME": str(folder)}):
        yield


def _row(settings: Settings, galleries: list[Path]) -> list[str]:
    embedder_for_building(settings, quiet)  # converts the network
    rounds = []
    for gallery in galleries:
        paths, ours = sorted(gallery.iterdir()), settings.changed(gallery=gallery)
        loops = [tutorial_loop(paths, settings, square) for square in (True, False)]
        describing, complete, _ = timed_build(ours)
        without_keypoints, *_ = timed_build(ours.changed(keypoints=0))
        rounds.append([*loops, complete, describing, without_keypoints])
    loop, loop_with_our_pixels, complete, describing, without_keypoints = rates = np.median(rounds, axis=0).tolist()
    ratios = [complete / loop, describing / loop, without_keypoints / loop, without_keypoints / loop_with_our_pixels]
    name = settings.build.backbone + (f", {settings.build.precision}" if settings.build.precision != "auto" else "")
    return [name, *(f"{rate:.1f}" for rate in rates), *(f"{ratio:.1f} x" for ratio in ratios)]
