"""Measures the API under many clients at once: python -m benchmarks.load --gallery DATASET/gallery --index DIR.

A second time the vectors are in Milvus, which is killed in the middle. That needs the extra milvus.
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
"""How often each client asks, one search after the other."""
ALONE = 60
"""Searches of one client before that, which say what a search takes when nobody waits."""
REST = 3.0
"""Seconds of quiet before memory is looked at."""
SECTION = "The API under load: {} pictures"
SECTION_AWAY = "The same while the vector engine is killed"


@dataclass(frozen=True, slots=True)
class Load:
    """What was measured; seconds a search, bytes of the program and what it started."""

    alone: Alone
    together: list[Response]
    seconds: float
    """From the first search of all clients to the last."""
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
    """One client, then all of them at once.

    Before that each query comes once, from all of them: the network keeps some layers ready for the sizes of picture
    that came last, and memory is compared when it has as many as it may.
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
    """The bytes a program holds, many times while the body runs."""
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
    return ["", "searches", "p50 ms", "p95 ms", "slowest ms", "searches a second"], rows


def _rows_of_outage(outage: Outage) -> tuple[list[str], list[list[str]]]:
    counts = [str(len(answers)) for answers in (outage.hits, outage.refusals, outage.others)]
    times = [f"{outage.slowest:.1f}", f"{outage.longest:.1f}", f"{outage.back:.1f}"]
    head = ["answered 200", "503 with Retry-After", "anything else", "slowest s", "it may take s", "hits again after s"]
    return [*head, "the same hits"], [[*counts, *times, "yes" if outage.same_hits else "no"]]


def _milliseconds(seconds: Sequence[float]) -> list[str]:
    return [f"{1000 * value:.0f}" for value in np.quantile(seconds, [0.5, 0.95, 1])]


def _note(load: Load) -> str:
    before, peak, after = (f"{value / 1e6:.0f} MB" for value in (load.before, load.peak, load.after))
    alone = load.alone
    return (
        "Searches with a picture and a box over HTTP, ranked by `best`; each client asks again as soon as it is "
        f"answered, and all of them run on the same cores. Errors: {load.errors}. One client alone keeps "
        f"{alone.cores:.2f} of {cpu_count()} cores busy, so that {CLIENTS} of them wait {alone.queue:.1f} times as "
        f"long, and the p95 may be twice that: 2 x {1000 * p95(alone.seconds):.0f} ms x {alone.queue:.1f} = "
        f"{1000 * alone.bound:,.0f} ms. Memory of the program and its decoder: {before} before, when each query had "
        f"come once, {peak} at most, {after} afterwards."
    )


def _note_of_outage(outage: Outage) -> str:
    told = sorted({json.loads(answer.text)["detail"] for answer in outage.refusals})
    alone = outage.before
    return (
        f"The same {CLIENTS} clients while the vectors are in Milvus (milvus-lite, a process of its own, "
        f"`BOXFIND_MILVUS_TIMEOUT` {outage.timeout:g} s), which is killed when a third is done and started again "
        f"{AWAY:g} seconds later; the API runs on. Who is told to come back does. What they are told: "
        f"{' '.join(told) or 'nothing'} A search may take what the queue explains, as above "
        f"(2 x {1000 * p95(alone.seconds):.0f} ms x {alone.queue:.1f}), and twice the time-out. *Hits again* is from "
        "the start of the engine."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--gallery", type=Path, required=True, help="of a labelled data set, whose queries lie beside it"
    )
    parser.add_argument("--index", type=Path, required=True)
    given = parser.parse_args()
    main(given.gallery.resolve(), given.index)
