"""Measure the API under many concurrent clients: python -m benchmarks.load --gallery DATASET/gallery --index DIR.

A second run keeps the vectors in Milvus, which is killed halfway. It needs the extra milvus.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

from benchmarks.load.engine_away import AWAY, Outage, kill_the_engine
from benchmarks.load.server_and_clients import CLIENTS, Alone, Response, Server, p95, serving
from benchmarks.results import keep, table
from benchmarks.speed.memory import held
from boxfind.evaluation.dataset import BoxedQuery, read_queries
from retrieval.cpus import cpu_count

SEARCHES = 20
"""Searches of each client, one after the other."""
ALONE = 60
"""Searches of a single client beforehand, which give the time without a queue."""
REST = 3.0
"""Idle seconds before memory is measured."""
SECTION = "The API under load: {} pictures"
SECTION_AWAY = "The API under load while Milvus is killed"


@dataclass(frozen=True, slots=True)
class Load:
    """Times in seconds; memory in bytes, of the program and its child processes."""

    alone: Alone
    together: list[Response]
    seconds: float
    """From the first concurrent search to the last."""
    before: int
    peak: int
    after: int

    @property
    def errors(self) -> int:
        return sum(answer.status != 200 for answer in self.together)

    @property
    def times(self) -> list[float]:
        return [answer.seconds for answer in self.together]


def main(gallery: Path, index: Path) -> None:
    queries = read_queries(gallery.parent / "queries.csv", gallery.parent / "queries")
    with tempfile.TemporaryDirectory() as scratch:
        with serving(gallery, index, Path(scratch)) as server:
            pictures = httpx.get(f"{server.address}/v1/index").json()["served"]["images"]
            load = measure(server, queries)
        keep(SECTION.format(f"{pictures:,}"), f"{_note(load)}\n\n{table(*_rows(load))}")
        outage = kill_the_engine(gallery, index, Path(scratch), queries, SEARCHES)
        keep(SECTION_AWAY, f"{_note_of_outage(outage)}\n\n{table(*_rows_of_outage(outage))}")


def measure(server: Server, queries: Sequence[BoxedQuery]) -> Load:
    """Measure one client, then all of them at once.

    As a warm-up, all clients send each query once. The network caches compiled layers for the latest picture sizes, and
    memory is compared only after that cache is full.
    """
    with server.asked_by_all(queries, -(-len(queries) // CLIENTS)):
        pass
    alone = server.ask_alone([queries[n % len(queries)] for n in range(ALONE)])
    time.sleep(REST)
    before = held(server.pid)
    with _watched(server.pid) as peak:
        began = time.perf_counter()
        with server.asked_by_all(queries, SEARCHES) as answers:
            pass
        seconds = time.perf_counter() - began
    time.sleep(REST)
    return Load(alone, answers, seconds, before, max(peak), held(server.pid))


@contextmanager
def _watched(pid: int) -> Iterator[list[int]]:
    """Sample the memory of a program, in bytes, while the body runs."""
    seen, ended = [held(pid)], threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            seen.append(held(pid))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def _rows(load: Load) -> tuple[list[str], list[list[str]]]:
    alone, together = load.alone.seconds, load.times
    rows = [
        ["one client", str(len(alone)), *_milliseconds(alone), f"{len(alone) / sum(alone):.1f}"],
        [f"{CLIENTS} clients", str(len(together)), *_milliseconds(together), f"{len(together) / load.seconds:.1f}"],
    ]
    return ["", "searches", "p50 ms", "p95 ms", "max ms", "searches/s"], rows


def _rows_of_outage(outage: Outage) -> tuple[list[str], list[list[str]]]:
    counts = [str(len(answers)) for answers in (outage.hits, outage.refusals, outage.others)]
    times = [f"{outage.slowest:.1f}", f"{outage.longest:.1f}", f"{outage.back:.1f}"]
    head = ["status 200", "503 with Retry-After", "other", "max s", "bound s", "recovery s"]
    return [*head, "same hits"], [[*counts, *times, "yes" if outage.same_hits else "no"]]


def _milliseconds(seconds: Sequence[float]) -> list[str]:
    return [f"{1000 * value:.0f}" for value in np.quantile(seconds, [0.5, 0.95, 1])]


def _note(load: Load) -> str:
    before, peak, after = (f"{value / 1e6:.0f} MB" for value in (load.before, load.peak, load.after))
    alone = load.alone
    return (
        "Searches with a picture and a box over HTTP, ranked by `best`. Each client sends its next search as soon as "
        f"it has an answer; all clients run on the same cores. Errors: {load.errors}. One client alone uses "
        f"{alone.cores:.2f} of {cpu_count()} cores, so {CLIENTS} clients wait {alone.queue:.1f} times as long. The p95 "
        f"may be twice that: 2 x {1000 * p95(alone.seconds):.0f} ms x {alone.queue:.1f} = "
        f"{1000 * alone.bound:,.0f} ms. Memory of the program and its decoder: {before} after each query was sent "
        f"once, {peak} at the peak, {after} afterwards."
    )


def _note_of_outage(outage: Outage) -> str:
    told = sorted({json.loads(answer.text)["detail"] for answer in outage.refusals})
    alone = outage.before
    return (
        f"The same {CLIENTS} clients, with the vectors in Milvus (milvus-lite in its own process, "
        f"`BOXFIND_MILVUS_TIMEOUT` {outage.timeout:g} s). Milvus is killed after a third of the searches and restarted "
        f"{AWAY:g} seconds later; the API keeps running. Clients that are told to retry do so. The message of the "
        f"refusals: {' '.join(told) or 'none.'} The bound of a search is the queue, as above "
        f"(2 x {1000 * p95(alone.seconds):.0f} ms x {alone.queue:.1f}), plus twice the timeout. *Recovery* counts from "
        "the restart of Milvus."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--gallery", type=Path, required=True, help="gallery of a labelled data set, with its queries next to it"
    )
    parser.add_argument("--index", type=Path, required=True)
    given = parser.parse_args()
    main(given.gallery.resolve(), given.index)
