"""How many pictures a second are indexed, beside the ways of tutorials and what the machine allows at most."""

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
"""Networks, sides, and what they compute in."""
IMG2VEC = "resnet50", 224, "auto"
"""What img2vec_pytorch is measured beside: it has no other size."""
SLOW, SHARE = ("resnet50", 640), 4
"""A contest that sees every fourth of the pictures only: with all of them it takes a quarter of an hour."""
STARTING = 24
"""The first pictures of a build, which are seen while the processes that decode are being started, do not count."""
ROUNDS = 3
LOOKING = "Reading pictures"
NOTE = """{} pictures of {}, on {}. All ways take turns in {} rounds, in each of which they see the same part of the
pictures; figures are medians of the rounds. The loop is that of tutorials: cv2.imread, cv2.resize, float32 torch with
its own number of threads, one picture at a time, average pooling. Tutorials squash pictures to squares, side x side;
with *our pixels* it resizes to what the build takes, which keeps the aspect and is mostly three quarters of a square.
{} Networks are converted before; each build goes into an empty folder and counts from its 24th picture, when all
processes have started: to the last one (looking; once more without keypoints), or to the served generation (build), for
which it also learns the whitening and writes, a bigger share of a small gallery. Limits: the network on pixels in
memory, by as many threads as there are workers; reading, decoding and resizing, and finding keypoints, by {} processes;
together as 1 / (1/a + 1/b). ResNet50 has random weights; at side 640 it sees a fourth of the pictures."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Pictures a second; `img2vec` is NaN where it was not measured."""

    square: float
    """The loop as tutorials have it."""
    loop: float
    """The same on the pixels that a build takes."""
    img2vec: float
    build: float
    looking: float
    bare: float
    """Looking without keypoints."""
    network: float
    decoding: float
    keypoints: float
    besides: float
    """Seconds of the build after looking."""


@dataclass(frozen=True, slots=True)
class Contest:
    """A network and a side length, with all the ways to run it."""

    settings: Settings
    square: Way
    loop: Way
    img2vec: Way | None
    embedder: Embedder

    def round(self, part: Sequence[Path]) -> Rates:
        """On pictures that are a gallery of their own."""
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
    """Ratios first, then pictures a second."""
    with tempfile.TemporaryDirectory() as scratch, random_resnet50(Path(scratch) / "weights"):
        pictures = chosen(settings.gallery_dir, count)
        parts = [copied(pictures[n::ROUNDS], Path(scratch) / f"part {n}") for n in range(ROUNDS)]
        few = [copied(part[::SHARE], Path(scratch) / f"few {n}") for n, part in enumerate(parts)]
        measured = {
            contest: _measured(*contest, settings, few if contest[:2] == SLOW else parts) for contest in CONTESTS
        }
    compared = "img2vec_pytorch squashes pictures to 224 x 224."
    if np.isnan(measured[IMG2VEC].img2vec):
        compared = f"img2vec_pytorch is left out; {install('bench')}."
    name = settings.gallery_dir.parent.name
    note = NOTE.format(len(pictures), name, processor(settings), ROUNDS, compared, settings.build.workers)
    ratios = [[*_named(contest), *_ratios(rates)] for contest, rates in measured.items()]
    rates = [[*_named(contest), *_figures(rates)] for contest, rates in measured.items()]
    header = ["network", "side"]
    return "\n\n".join([note, table([*header, *RATIOS], ratios), table([*header, *FIGURES], rates)])


def processor(settings: Settings) -> str:
    """What the networks run on, in words."""
    return torch.cuda.get_device_name() if settings.runtime == "torch-cuda" else "the CPU"


def build_rates(settings: Settings, at_once: int) -> tuple[float, float, float]:
    """Pictures a second of a build into an empty folder, once all is started: to its end, and to the last one.

    Third come the seconds between the last picture and the end. `at_once`: pictures in the first batch, of which none
    counts.
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
    """Everything made, and tried out on a few pictures, so that nothing is prepared while it is measured."""
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
    "build to loop",
    "looking to loop",
    "without keypoints to loop",
    "the same, to the loop with our pixels",
    "build to img2vec",
    "looking, of network + decoding",
    "without keypoints, of network + decoding",
    "looking, of network + decoding + keypoints",
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
    *("loop, pictures/s", "with our pixels", "img2vec", "build", "looking", "without keypoints", "network", "decoding"),
    *("keypoints", "network + decoding", "network + decoding + keypoints", "build after looking, s"),
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
