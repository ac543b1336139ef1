"""Measure the speed of builds, searches and startup: python -m benchmarks.speed --gallery DIR --index DIR.

All files are written to a temporary folder. The extra bench installs the libraries that it compares with.
"""

import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from benchmarks.results import keep
from benchmarks.speed.build import build_report
from benchmarks.speed.query import asked_queries, query_report
from benchmarks.speed.start import start_report
from benchmarks.speed.vector_search import search_report
from boxfind.settings import Settings
from retrieval.networks.runtimes import choose_runtime

QUERIES = 120


def build(settings: Settings, pictures: int) -> str:
    return build_report(settings, pictures)


def query(settings: Settings, _: int) -> str:
    return query_report(settings, asked_queries(settings, QUERIES))


def search(settings: Settings, _: int) -> str:
    return search_report(settings, asked_queries(settings, QUERIES))


def start(settings: Settings, pictures: int) -> str:
    return start_report(settings, asked_queries(settings, 1)[0], pictures)


PARTS: dict[str, tuple[str, Callable[[Settings, int], str]]] = {
    "build": ("Speed of a build", build),
    "query": ("Speed of a query, stage by stage", query),
    "search": ("Speed of the vector search", search),
    "start": ("Startup time and memory", start),
}
"""Part -> title and measurement; `main` adds runtime and precision to the title."""


def main(given: Namespace) -> None:
    runtime, precision = choose_runtime(given.runtime)
    for name in given.only or PARTS:
        title, measure = PARTS[name]
        with tempfile.TemporaryDirectory() as scratch:
            folders = {"gallery": given.gallery, "index": given.index, "data": Path(scratch)}
            asked = {key: folder for key, folder in folders.items() if folder}
            settings = Settings.load(runtime=runtime.name, offline=True, **asked)
            keep(f"{title} ({runtime.name}, {precision})", measure(settings, given.pictures))


def arguments() -> ArgumentParser:
    parser = ArgumentParser("python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--gallery", type=Path, help="gallery of a data set, with queries.csv next to it")
    parser.add_argument("--index", type=Path, help="an index of that gallery; it is not changed")
    parser.add_argument("--pictures", type=int, default=300, help="pictures of the gallery to build with")
    parser.add_argument("--runtime", default="auto", help="auto, or one of retrieval/networks/runtimes.py")
    parser.add_argument("--only", choices=PARTS, action="append", help="run only this part; can be repeated")
    return parser


if __name__ == "__main__":
    main(arguments().parse_args())
