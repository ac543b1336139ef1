"""A catalogue of 200 pages in one PDF file."""

import multiprocessing
import threading
from pathlib import Path

import numpy as np
import psutil
from PIL import Image as Pillow

from index.building.build import build
from index.building.decoder_pool import DecoderPool
from index.building.thread_executor import ThreadExecutor
from index.gallery import open_gallery
from index.operations.verify import verify
from retrieval.ranking.dot_products import prepare
from retrieval.search import search
from retrieval.types import Box, quiet
from tests.tiny import TINY_EMBEDDER, draw_picture

PAGES = 200
MEMORY = 500_000_000


def drawn(page: int) -> np.ndarray:
    """A page of four drawings."""
    corners = [draw_picture(4 * page + corner, 200, 280) for corner in range(4)]
    return np.vstack([np.hstack(corners[:2]), np.hstack(corners[2:])])


def test_the_right_page_of_200_is_found_in_bounded_memory(tmp_path: Path):
    (tmp_path / "gallery").mkdir()
    first, *others = [Pillow.fromarray(drawn(page)) for page in range(PAGES)]
    first.save(tmp_path / "gallery" / "catalogue.pdf", save_all=True, append_images=others, quality=90)
    prepare()  # loads OpenVINO, whose size does not depend on the document
    before, here, most, ended = _workers(), psutil.Process().memory_info().rss, [0, 0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            sizes = [_bytes(worker) for worker in _workers() - before]
            most[0] = max([most[0], *sizes])
            most[1] = max(most[1], psutil.Process().memory_info().rss - here)

    watching = threading.Thread(target=watch)
    watching.start()
    with DecoderPool(2) as pool:
        executor = ThreadExecutor(TINY_EMBEDDER, pool, 2)
        folder = build(tmp_path / "gallery", tmp_path / "index", executor, quiet)
    ended.set()
    watching.join()
    index = open_gallery(folder)
    assert index.tables.ids == sorted(f"catalogue.pdf#page={number}" for number in range(1, PAGES + 1))
    assert verify(tmp_path / "index") == []
    assert 0 < most[0] < MEMORY and most[1] < MEMORY / 2, most
    for page in range(3, PAGES, 20):
        query = TINY_EMBEDDER.query(drawn(page), Box.whole(drawn(page)), index.whitening)
        assert search(query, index, top=1)[0].image == f"catalogue.pdf#page={page + 1}"


def _workers() -> set[int]:
    return {child.pid for child in multiprocessing.active_children() if child.pid}


def _bytes(worker: int) -> int:
    try:
        return int(psutil.Process(worker).memory_info().rss)
    except psutil.Error:  # it has just ended
        return 0
