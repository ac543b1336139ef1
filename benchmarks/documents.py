"""A catalogue as a PDF file: whether the right page is found, and what reading it costs.

The catalogue is made of gallery pictures, four on a page. Some pages show an object of the data set, and no other page
does; another query of the object, with its box, searches for its page. The same pages in a folder of JPEG files are
built for comparison.
"""

import os
import subprocess
import sys
import time

import numpy as np
import psutil
from PIL import Image as Pillow

from benchmarks.bench import Bench
from benchmarks.results import record, table
from boxfind.embedders import embedder_for_building
from boxfind.engine import Engine
from boxfind.evaluation.dataset import BoxedQuery
from boxfind.settings import PROJECT, Settings
from index.storage.folder_scan import find_pictures
from retrieval.images.decode import load_image
from retrieval.images.places import page_place
from retrieval.images.resize import resize_image
from retrieval.types import Box, Image, quiet

PAGES, OBJECTS = 200, 40
WIDTH, HEIGHT = 1240, 1754
"""Pixels of a scanned page: A4 at 150 dots an inch."""
MARGIN = 40


def measure(bench: Bench) -> None:
    pairs = _pairs(bench)
    pages = _pages(bench, [pasted for pasted, _ in pairs])
    folders = {"one PDF file": bench.scratch / "pdf", f"{PAGES} JPEG files": bench.scratch / "jpeg"}
    for folder in folders.values():
        folder.mkdir()
    first, *others = [Pillow.fromarray(page) for page in pages]
    first.save(folders["one PDF file"] / "catalogue.pdf", save_all=True, append_images=others, quality=90)
    for number, page in enumerate([first, *others], start=1):
        page.save(folders[f"{PAGES} JPEG files"] / f"{number:03}.jpg", quality=90)
    embedder_for_building(bench.settings, quiet)  # converts the network, which takes 500 MB once
    rows = []
    for what, folder in folders.items():
        settings = bench.settings.changed(gallery=folder, index=bench.scratch / f"index of {folder.name}")
        seconds, process, together = _built(settings)
        for ranking in ("fast", "best"):
            found = _ranks(Engine(settings), pairs, ranking)
            first_places, tens = sum(rank == 1 for rank in found), sum(rank <= 10 for rank in found)
            figures = [f"{first_places} of {len(pairs)}", f"{tens} of {len(pairs)}", f"{seconds:.0f}"]
            rows.append([what, ranking, *figures, f"{process / 1e6:.0f}", f"{together / 1e6:.0f}"])
            print(rows[-1], file=sys.stderr, flush=True)
    header = [
        "gallery",
        "ranking",
        "right page first",
        "among ten",
        "build s",
        "largest process MB",
        "all processes MB",
    ]
    record(f"A catalogue of {PAGES} pages on {bench.dataset.name}", table(header, rows))


def _pairs(bench: Bench) -> list[tuple[BoxedQuery, BoxedQuery]]:
    """For some objects, the query that is printed and another one that searches; the same if there is no other."""
    of_object: dict[str, list[BoxedQuery]] = {}
    for query in bench.dataset.queries:
        if query.box is not None:
            of_object.setdefault(bench.dataset.objects[query.name], []).append(query)
    return [(queries[0], queries[-1]) for _, queries in sorted(of_object.items())][:OBJECTS]


def _pages(bench: Bench, pasted: list[BoxedQuery]) -> list[Image]:
    """Pages (HEIGHT, WIDTH, 3). The object number i is in one corner of page `_page_of(i)`."""
    labels = bench.dataset.labels[bench.dataset.main]
    shown = {image for query in pasted for image in labels.relevant.get(query.name, ())}
    shown |= {image for query in pasted for image in labels.ignored.get(query.name, ())}
    files = [file.path for file in find_pictures(bench.dataset.gallery)[0]]
    others = [file for file in files if file.name not in shown] or files
    rng, size = np.random.default_rng(0), (WIDTH // 2 - 2 * MARGIN, HEIGHT // 2 - 2 * MARGIN)
    pages = []
    for number in range(PAGES):
        page = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
        corners = [load_image(others[place]) for place in rng.integers(0, len(others), 4)]
        for place, query in enumerate(pasted):
            if _page_of(place) == number + 1 and query.box is not None:
                box = query.box
                corners[place % 4] = load_image(query.image)[box.y0 : box.y1, box.x0 : box.x1]
        for corner, picture in enumerate(corners):
            scale = min(size[0] / picture.shape[1], size[1] / picture.shape[0])
            small = resize_image(picture, *(max(round(scale * side), 1) for side in picture.shape[1::-1]))
            x, y = MARGIN + corner % 2 * WIDTH // 2, MARGIN + corner // 2 * HEIGHT // 2
            page[y : y + small.shape[0], x : x + small.shape[1]] = small
        pages.append(page)
    return pages


def _page_of(number: int) -> int:
    """The page, from 1, that shows an object."""
    return 1 + number * PAGES // OBJECTS


def _built(settings: Settings) -> tuple[float, int, int]:
    """Build in a process of its own: seconds, and the most bytes of one process and of all, workers included."""
    command = [sys.executable, str(PROJECT / "cli.py"), "build", "--gallery", str(settings.gallery_dir)]
    environment = {**os.environ, "BOXFIND_GALLERY": str(settings.gallery_dir), "BOXFIND_INDEX": str(settings.index_dir)}
    began, largest, together = time.perf_counter(), 0, 0
    with subprocess.Popen([*command, "--index", str(settings.index_dir)], env=environment) as build:
        while build.poll() is None:
            sizes = _sizes(build.pid)
            largest, together = max([largest, *sizes]), max(together, sum(sizes))
            time.sleep(0.1)
    return time.perf_counter() - began, largest, together


def _sizes(pid: int) -> list[int]:
    """Resident bytes of a process and its workers."""
    try:
        parent = psutil.Process(pid)
        return [one.memory_info().rss for one in (parent, *parent.children(recursive=True))]
    except psutil.Error:  # one of them has just ended
        return []


def _ranks(engine: Engine, pairs: list[tuple[BoxedQuery, BoxedQuery]], ranking: str) -> list[int]:
    """For each object, the rank of its page, and 1,000 if it is not found."""
    gallery, ranks = engine.gallery(), []
    for number, (_, asking) in enumerate(pairs):
        image = load_image(asking.image)
        hits = engine.search(gallery, image, asking.box or Box.whole(image), 100, ranking)
        right = {f"catalogue.pdf#{page_place(_page_of(number))}", f"{_page_of(number):03}.jpg"}
        ranks.append(next((rank for rank, hit in enumerate(hits, start=1) if hit.image in right), 1000))
    return ranks
