"""Measure the rate of a build, compared with tutorial code and with the limits of the machine."""

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.pictures import chosen, copied
from benchmarks.results import table
from benchmarks.speed.machine_limits import network_rate, preparing_rates, together
from benchmarks.speed.random_weights import random_resnet50
from benchmarks.speed.tutorials import Way, img2vec, tutorial_loop
from boxfind.embedders import embedder_for_building
from boxfind.engine import Engine
from boxfind.settings import Settings
from retrieval.descriptors.embedder import Embedder
from retrieval.networks.backbones import BACKBONES
from retrieval.networks.weights import need_weights
from retrieval.optional_packages import install

CONTESTS = (
    ("efficientnet-lite0", 640, "auto"),
    ("efficientnet-lite0", 640, "int8"),
    ("resnet50", 640, "auto"),
    ("efficientnet-lite0", 224, "auto"),
    ("resnet50", 224, "auto"),
)
"""Network, side and precision of each comparison."""
IMG2VEC = "resnet50", 224, "auto"
"""The comparison that includes img2vec_pytorch, which supports this size only."""
SLOW, SHARE = ("resnet50", 640), 4
"""A comparison that uses only every fourth picture; with all of them it takes a quarter of an hour."""
STARTING = 24
"""Pictures at the start of a build that do not count, because the decoder processes are still starting."""
ROUNDS = 3
LOOKING = "Reading pictures"
NOTE = """{} pictures of {}, on {}. All methods run in turn in {} rounds, with the same pictures in each round;
figures are medians of the rounds. The loop is that of tutorials: cv2.imread, cv2.resize, float32 torch with its own
number of threads, one picture at a time, average pooling. Tutorials resize pictures to squares, side x side; *our
pixels* resizes to the size that the build uses, which keeps the aspect ratio and has mostly three quarters of the
pixels of a square. {} Networks are converted before. Each build writes into an empty folder and counts from its 24th
picture, when all processes have started: to the last picture (describing; once more without keypoints), or to the
published generation (build). The latter includes learning the whitening and writing, a larger share in a small
gallery. Limits: the network on pixels in memory, with one thread per worker; reading, decoding and resizing, and
finding keypoints, with {} processes; combined as 1 / (1/a + 1/b). ResNet50 has random weights; at side 640 it
processes a fourth of the pictures."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Pictures per second; `img2vec` is NaN if it was not measured."""

    square: float
    """The tutorial loop on squares."""
    loop: float
    """The tutorial loop on the pixels that a build uses."""
    img2vec: float
    build: float
    looking: float
    bare: float
    """Describing without keypoints."""
    network: float
    decoding: float
    keypoints: float
    besides: float
    """Seconds of the build after the last picture is described."""


@dataclass(frozen=True, slots=True)
class Contest:
    """A network at one side length, with all methods that run it."""

    settings: Settings
    square: Way
    loop: Way
    img2vec: Way | None
    embedder: Embedder

    def round(self, part: Sequence[Path]) -> Rates:
        """Measure all methods on `part`, which is a complete gallery folder."""
        settings = self.settings.changed(gallery=part[0].parent)
        at_once = self.embedder.at_once
        threads = max(settings.build.workers, 2 * at_once) if at_once > 1 else settings.build.workers
        build, looking, besides = build_rates(settings, at_once)
        _, bare, _ = build_rates(settings.changed(keypoints=0), at_once)
        return Rates(
            _rate(self.square, part),
            _rate(self.loop, part),
            _rate(self.img2vec, part) if self.img2vec else float("nan"),
            build,
            looking,
            bare,
            network_rate(self.embedder.run, part, settings.build.side, threads),
            *preparing_rates(part, settings.build.side, settings.build.workers),
            besides,
        )


def build_report(settings: Settings, count: int) -> str:
    """Two tables: ratios, then pictures per second."""
    with tempfile.TemporaryDirectory() as scratch, random_resnet50(Path(scratch) / "weights"):
        pictures = chosen(settings.gallery_dir, count)
        parts = [copied(pictures[n::ROUNDS], Path(scratch) / f"part {n}") for n in range(ROUNDS)]
        few = [copied(part[::SHARE], Path(scratch) / f"few {n}") for n, part in enumerate(parts)]
        measured = {
            contest: _measured(*contest, settings, few if contest[:2] == SLOW else parts) for contest in CONTESTS
        }
    compared = "img2vec_pytorch resizes pictures to 224 x 224."
    if np.isnan(measured[IMG2VEC].img2vec):
        compared = f"img2vec_pytorch is not installed; {install('bench')}."
    name = settings.gallery_dir.parent.name
    note = NOTE.format(len(pictures), name, processor(settings), ROUNDS, compared, settings.build.workers)
    ratios = [[*_named(contest), *_ratios(rates)] for contest, rates in measured.items()]
    rates = [[*_named(contest), *_figures(rates)] for contest, rates in measured.items()]
    header = ["network", "side"]
    return "\n\n".join([note, table([*header, *RATIOS], ratios), table([*header, *FIGURES], rates)])


def processor(settings: Settings) -> str:
    """Name of the device that runs the networks."""
    return torch.cuda.get_device_name() if settings.runtime == "torch-cuda" else "the CPU"


def build_rates(settings: Settings, at_once: int) -> tuple[float, float, float]:
    """Rates of a build into an empty folder, in pictures per second after startup, and the seconds it takes to finish.

    Returns the rate up to the end of the build, the rate up to the last picture, and the seconds between the two.
    `at_once`: size of the first batch, which does not count.
    """
    ticks = []

    def progress(stage: str, done: int, _: int) -> None:
        if stage == LOOKING:
            ticks.append((time.perf_counter(), done))

    with tempfile.TemporaryDirectory() as index:
        Engine(settings.changed(index=Path(index))).build(progress)
        ended = time.perf_counter()
    (_, first), (seen, done) = ticks[0], ticks[-1]
    before = max(first, at_once, min(STARTING, len(ticks) // 2))
    began = ticks[before - first][0]
    return (done - before) / (ended - began), (done - before) / (seen - began), ended - seen


def _measured(name: str, side: int, precision: str, settings: Settings, parts: Sequence[Sequence[Path]]) -> Rates:
    contest = _contest(name, side, precision, settings, parts[0])
    rounds = [contest.round(part) for part in parts]
    rates = Rates(*np.median([astuple(rates) for rates in rounds], axis=0).tolist())
    print(name, side, precision, rates, file=sys.stderr, flush=True)
    return rates


def _contest(name: str, side: int, precision: str, settings: Settings, pictures: Sequence[Path]) -> Contest:
    """Create all methods and warm them up on a few pictures, so that preparation is not measured."""
    settings = settings.changed(backbone=name, side=side, precision=precision)
    device = "cuda" if settings.runtime == "torch-cuda" else "cpu"
    backbone = BACKBONES[name]
    network = backbone.make(need_weights(backbone.weights))
    contest = Contest(
        settings,
        tutorial_loop(network, side, device, square=True),
        tutorial_loop(network, side, device),
        img2vec(device) if (name, side, precision) == IMG2VEC else None,
        embedder_for_building(settings, lambda *_: None)[0],
    )
    for way in filter(None, (contest.square, contest.loop, contest.img2vec)):
        way(pictures[:3])
    return contest


def _rate(way: Way, part: Sequence[Path]) -> float:
    began = time.perf_counter()
    way(part)
    return len(part) / (time.perf_counter() - began)


RATIOS = [
    "build / loop",
    "describing / loop",
    "without keypoints / loop",
    "without keypoints / loop with our pixels",
    "build / img2vec",
    "describing / (network + decoding)",
    "without keypoints / (network + decoding)",
    "describing / (network + decoding + keypoints)",
]


def _ratios(rates: Rates) -> list[str]:
    allowed = together(rates.network, rates.decoding)
    return [
        *(_text(ours / rates.square, ".1f", " x") for ours in (rates.build, rates.looking, rates.bare)),
        _text(rates.bare / rates.loop, ".1f", " x"),
        _text(rates.build / rates.img2vec, ".1f", " x"),
        *(f"{share:.0%}" for share in (rates.looking / allowed, rates.bare / allowed)),
        f"{rates.looking / together(allowed, rates.keypoints):.0%}",
    ]


FIGURES = [
    *(
        "loop, pictures/s",
        "with our pixels",
        "img2vec",
        "build",
        "describing",
        "without keypoints",
        "network",
        "decoding",
    ),
    *("keypoints", "network + decoding", "network + decoding + keypoints", "build after describing, s"),
]


def _figures(rates: Rates) -> list[str]:
    allowed = together(rates.network, rates.decoding)
    *measured, besides = astuple(rates)
    return [_text(figure, ".1f") for figure in (*measured, allowed, together(allowed, rates.keypoints), besides)]


def _named(contest: tuple[str, int, str]) -> list[str]:
    name, side, precision = contest
    return [name if precision == "auto" else f"{name}, {precision}", str(side)]


def _text(number: float, style: str, unit: str = "") -> str:
    return "-" if np.isnan(number) else f"{number:{style}}{unit}"
