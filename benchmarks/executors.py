"""Builds with local processes and on Ray, both with as many workers as this machine has CPUs."""

import numpy as np

from benchmarks.bench import Bench
from benchmarks.build_speed import timed_build
from benchmarks.results import record, table

EXECUTORS = {"local processes": "local", "Ray on this machine": "ray"}
ROUNDS = 3


def measure(bench: Bench) -> None:
    galleries = bench.galleries(ROUNDS)
    timed_build(bench.settings.changed(gallery=galleries[0]))  # converts the network
    rounds = []
    for gallery in galleries:
        builds = [timed_build(bench.settings.changed(gallery=gallery, engine=engine)) for engine in EXECUTORS.values()]
        rounds.append([(describing, seconds) for describing, _, seconds in builds])
    figures = np.median(rounds, axis=0)
    rows = [[name, f"{rate:.1f}", f"{seconds:.0f}"] for name, (rate, seconds) in zip(EXECUTORS, figures, strict=True)]
    header = ["engine", "describing, pictures/s", "total seconds"]
    record("Builds with local processes and on Ray", table(header, rows))
