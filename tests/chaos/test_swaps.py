"""Eight threads search at full speed while twenty builds are published under them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from boxfind.engine import Engine
from boxfind.settings import Settings
from index.building.build import build
from index.building.thread_executor import ThreadExecutor
from retrieval.types import Box
from tests.chaos.test_kills import save
from tests.tiny import TINY_EMBEDDER, draw_picture, use_tiny_network

SWAPS, THREADS = 20, 8


def test_r40_twenty_builds_are_published_under_eight_threads(tmp_path: Path, monkeypatch, pool):
    """Build n holds pictures n-0 to n-11: an answer is all of one build, and the picture asked for comes first."""
    use_tiny_network(monkeypatch)
    folder, over = tmp_path / "gallery", threading.Event()
    folder.mkdir()
    engine = Engine(Settings.load(gallery=folder, index=tmp_path / "index"))
    picture = draw_picture(0, 64, 48)

    def publish(number: int) -> None:
        for path in folder.glob("*.png"):
            path.unlink()
        for seed in range(12):
            save(folder, f"{number:02d}-{seed:02d}.png", seed)
        build(folder, tmp_path / "index", ThreadExecutor(TINY_EMBEDDER, pool), lambda *_: None)

    def searches() -> list[int]:
        seen = []
        while not over.is_set():
            hits = engine.search(engine.gallery(), picture, Box.whole(picture), top=0)
            of_build = {hit.image.partition("-")[0] for hit in hits}
            assert len(hits) == 12 and len(of_build) == 1
            assert hits[0].image.endswith("-00.png") and hits[0].similarity > 0.999
            seen.append(int(of_build.pop()))
        return seen

    publish(0)
    with ThreadPoolExecutor(THREADS) as threads:
        visitors = [threads.submit(searches) for _ in range(THREADS)]
        try:
            for number in range(1, SWAPS + 1):
                publish(number)
        finally:
            over.set()
        answers = [visitor.result() for visitor in visitors]
    assert all(seen == sorted(seen) for seen in answers)  # nobody goes back to an earlier one
    assert {number for seen in answers for number in seen} >= set(range(SWAPS))
    print(f"{SWAPS} swaps under {THREADS} threads, {sum(map(len, answers))} searches, no wrong answer")
