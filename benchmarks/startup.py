"""Time from the start of the program to the first result."""

import json
import subprocess
import sys
import time

import numpy as np

from benchmarks.bench import Bench
from benchmarks.results import record, table
from boxfind.settings import PROJECT
from retrieval.networks.runtimes import choose_runtime

REPEATS = 5


def measure(bench: Bench) -> None:
    bench.engine.gallery()  # builds a missing index
    (query,) = bench.queries(1)
    assert query.box
    image, box = str(query.image), list(map(str, query.box.xywh))

    def run(*arguments: str) -> str:
        """Run Python in the project folder and return its output."""
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True).stdout

    rounds = []
    for _ in range(1 + REPEATS):
        steps = json.loads(run("-m", "benchmarks.first_result", repr(time.time()), image, *box))
        began = time.perf_counter()
        run("cli.py", "search", "--index", str(bench.settings.index_dir), "--image", image, "--box", ",".join(box))
        rounds.append(steps | {"`cli.py search` has exited": time.perf_counter() - began})
        print(rounds[-1], file=sys.stderr, flush=True)
    seconds = {name: np.median([steps[name] for steps in rounds[1:]]) for name in rounds[0]}
    first_result = seconds["first result (fast)"]
    rows = [[name, f"{value / first_result:.0%}", f"{value:.2f}"] for name, value in seconds.items()]
    runtime, precision = choose_runtime(bench.settings.runtime)
    header = ["step", "share of the first result", "seconds"]
    record(f"Startup time ({runtime.name}, {precision})", table(header, rows))
