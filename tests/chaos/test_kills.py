"""Builds are killed at random instants, also in waves, while searches go on; nothing is lost, made up or torn."""

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image as Pillow

from index.building import describe_all as describe
from index.building.build import build
from index.building.thread_executor import ThreadExecutor
from index.gallery import Gallery, make_gallery, open_gallery
from index.operations.verify import verify, verify_generation
from index.storage.generation import current_folder, generations, served_generation, wave_of
from index.storage.manifest import read_manifest
from retrieval.images.decode import decode_image
from retrieval.search import search
from retrieval.types import Box
from tests.same import assert_same_index
from tests.tiny import TINY_EMBEDDER, draw_picture

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("KILLS", "100"))
"""Of each test."""
PICTURES = 60
State = dict[str, str]


class Searches:
    """Two visitors who search all the time; every answer must be one that the generation they asked can give."""

    def __init__(self, index_dir: Path) -> None:
        self.over, self.answers, self.generations = threading.Event(), 0, set[str]()
        self._index_dir = index_dir
        self._pool = ThreadPoolExecutor(2)
        self._visitors = [self._pool.submit(self._visit, seed) for seed in range(2)]

    def end(self) -> None:
        self.over.set()
        for visitor in self._visitors:
            visitor.result(30)
        self._pool.shutdown()

    def _visit(self, seed: int) -> None:
        rng, gallery = random.Random(seed), None
        while not self.over.is_set():
            if gallery is None or gallery.folder != current_folder(self._index_dir):
                generation, warning = served_generation(self._index_dir)
                assert warning == ""
                gallery = make_gallery(generation)
            self._search(gallery, rng.choice(gallery.tables.ids))
            self.answers += 1
            self.generations.add(gallery.folder.name)
            time.sleep(0.02)

    def _search(self, gallery: Gallery, image: str) -> None:
        try:
            data = gallery.file(image).read_bytes()
        except FileNotFoundError:  # removed from the folder, and not yet from the index
            return
        if hashlib.sha256(data).hexdigest() != gallery.entry(image).sha256:  # changed, or being written
            return
        picture = decode_image(data)
        hits = search(TINY_EMBEDDER.query(picture, Box.whole(picture), gallery.whitening), gallery, "fast", 0)
        assert hits[0].similarity > 0.999 and {hit.image for hit in hits} == set(gallery.tables.ids)
        assert image in {hit.image for hit in hits if hit.similarity > 0.999}


def save(folder: Path, name: str, seed: int) -> None:
    part = folder / f".{name}.png"
    Pillow.fromarray(draw_picture(seed, 64, 48)).save(part)
    os.replace(part, folder / name)


def change(folder: Path, rng: random.Random, seed: int, come: int = 5, go: int = 5) -> None:
    """Some pictures come, some go, some are replaced."""
    names = sorted(path.name for path in folder.glob("*.png"))
    for name in rng.sample(names, go):
        (folder / name).unlink()
    for number in range(come):
        save(folder, f"{rng.randrange(10**6):06d}.png", 1000 * seed + number)
    for name in rng.sample(sorted(path.name for path in folder.glob("*.png")), 5):
        save(folder, name, 1000 * seed + 500 + rng.randrange(400))


def state_of(folder: Path) -> State:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.png")}


def indexed(index_dir: Path) -> State:
    tables = open_gallery(current_folder(index_dir)).tables
    return dict(zip(tables.ids, tables.images["sha256"].to_pylist(), strict=True))


class Build:
    """A build in its own process. Loading its modules takes longer than the build, so it is started ahead."""

    def __init__(self, gallery: Path, index_dir: Path, *options: str) -> None:
        command = [sys.executable, "-m", "tests.builder", str(gallery), str(index_dir), *options]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def begin(self) -> None:
        assert self._process.stdout and self._process.stdout.readline() == "ready\n"
        assert self._process.stdin
        self._process.stdin.close()

    def is_killed_after(self, seconds: float) -> bool:
        """Whether the build came to be killed; one that was faster has ended as it should."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            assert self._process.wait(seconds) == 0
        return self.kill() != 0

    def kill(self) -> int:
        """The exit code."""
        self._process.kill()
        code = self._process.wait()
        assert code in (0, -signal.SIGKILL)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            pipe.close()
        return code


@pytest.mark.timeout(1800)
def test_r35_kill_at_random_instants(tmp_path: Path, pool, monkeypatch):
    folder, index_dir, rng = tmp_path / "gallery", tmp_path / "index", random.Random(35)
    folder.mkdir()
    for number in range(PICTURES):
        save(folder, f"{number:03d}.png", number)
    build(folder, index_dir, ThreadExecutor(TINY_EMBEDDER, pool), lambda *_: None)
    change(folder, rng, 1)
    first, ahead = Build(folder, index_dir), Build(folder, index_dir)
    first.begin()
    began = time.monotonic()
    assert not first.is_killed_after(60)
    usual = time.monotonic() - began
    searches, served, kills, published = Searches(index_dir), state_of(folder), 0, 0
    try:
        for number in range(2, 10_000):
            if kills == KILLS:
                break
            change(folder, rng, number)
            wanted = state_of(folder)
            current, ahead = ahead, Build(folder, index_dir)
            current.begin()
            killed = current.is_killed_after(rng.uniform(0, 2 * usual))
            kills += killed
            now = indexed(index_dir)
            assert now in (served, wanted), "lost or made up"
            assert verify(index_dir) == [], "torn"
            assert killed or now == wanted
            published += now == wanted
            served = now
            assert len(generations(index_dir)) <= 3
    finally:
        ahead.kill()
        searches.end()
    last = build(folder, index_dir, ThreadExecutor(TINY_EMBEDDER, pool), lambda *_: None)
    assert indexed(index_dir) == state_of(folder) and verify(index_dir) == []
    assert not list(index_dir.glob("tmp-*")) and len(generations(index_dir)) == 2
    updated = open_gallery(last)
    monkeypatch.setattr(describe, "learn_whitening", lambda *_: updated.whitening)
    assert_same_index(
        updated, open_gallery(build(folder, tmp_path / "anew", ThreadExecutor(TINY_EMBEDDER, pool), lambda *_: None))
    )
    assert searches.answers > 500 and published > 10
    print(
        f"{kills} kills, {published} builds that were published, {searches.answers} searches of "
        f"{len(searches.generations)} generations: 0 lost, 0 phantom, 0 torn"
    )


class Rounds:
    """Builds with waves of a changing folder, killed one after the other. `complete` is what the last whole one had."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        self.kills = self.waves = self.finished = 0
        self.complete: State = {}
        self.served: State = {}

    def run(self, index_dir: Path, build: Build, seconds: float) -> bool:
        """Kill a build after some seconds, and check what is served. Whether it had ended."""
        wanted = state_of(self.folder)
        build.begin()
        killed = build.is_killed_after(seconds)
        self.kills += killed
        if not generations(index_dir):
            assert killed and not self.served
            return False
        now = indexed(index_dir)
        is_wave = read_manifest(current_folder(index_dir)).wave is not None
        before = {**self.complete, **self.served}
        assert all(
            sha256 in (before.get(name), self.complete.get(name), wanted.get(name)) for name, sha256 in now.items()
        )
        assert self.served.items() & wanted.items() <= now.items(), "lost"
        assert self.complete.keys() & wanted.keys() <= now.keys(), "lost"
        assert [fault for one in generations(index_dir) for fault in verify_generation(one)] == [], "torn"
        assert len([one for one in generations(index_dir) if wave_of(one) is None]) <= 3
        if not is_wave and now == wanted:
            self.complete, self.finished = now, self.finished + 1
        assert is_wave or now == self.complete, "made up"
        assert not self.complete or any(wave_of(one) is None for one in generations(index_dir))
        self.waves += is_wave and killed
        self.served = now
        return not killed


@pytest.mark.timeout(1800)
def test_r87_kill_updates_that_publish_waves(tmp_path: Path, pool):
    folder, index_dir, rng = tmp_path / "gallery", tmp_path / "index", random.Random(87)
    folder.mkdir()
    for number in range(PICTURES):
        save(folder, f"{number:03d}.png", number)
    executor = ThreadExecutor(TINY_EMBEDDER, pool)
    build(folder, index_dir, executor, lambda *_: None)
    rounds = Rounds(folder, rng)
    rounds.complete = rounds.served = indexed(index_dir)
    searches, ahead, usual = Searches(index_dir), Build(folder, index_dir, "--waves"), 2.0
    try:
        for number in range(2, 10_000):
            if rounds.kills == KILLS:
                break
            if number % 3 == 2:  # a build may be killed more than once
                many = len(state_of(folder)) > 1.5 * PICTURES
                change(folder, rng, number, *((5, 40) if many else (25, 5)))
            current, ahead = ahead, Build(folder, index_dir, "--waves")
            began = time.monotonic()
            if rounds.run(index_dir, current, rng.uniform(0, 1.5 * usual)):
                usual = 0.5 * (usual + time.monotonic() - began)
            else:
                usual *= 1.02
    finally:
        ahead.kill()
        searches.end()
    last = open_gallery(build(folder, index_dir, executor, lambda *_: None))
    assert indexed(index_dir) == state_of(folder) and verify(index_dir) == []
    assert not list(index_dir.glob("tmp-*")) and len(generations(index_dir)) == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(describe, "learn_whitening", lambda *_: last.whitening)
        assert_same_index(last, open_gallery(build(folder, tmp_path / "anew", executor, lambda *_: None)))
    assert rounds.waves > KILLS // 10 and searches.answers > 5 * KILLS
    ended = f"{rounds.waves} served a wave, {rounds.finished} builds ended"
    print(f"{rounds.kills} kills, {ended}, {searches.answers} searches: 0 lost, 0 phantom, 0 torn")


@pytest.mark.timeout(1800)
def test_r87_kill_first_builds_that_publish_waves(tmp_path: Path, pool):
    """A first build is killed until it ends; it ends as one that was never disturbed."""
    folder, rng = tmp_path / "gallery", random.Random(88)
    folder.mkdir()
    for number in range(40):
        save(folder, f"{number:03d}.png", number)
    undisturbed = open_gallery(build(folder, tmp_path / "whole", ThreadExecutor(TINY_EMBEDDER, pool), lambda *_: None))
    kills = waves = 0
    for number in range(10_000):
        rounds, index_dir = Rounds(folder, rng), tmp_path / f"index-{number}"
        while kills + rounds.kills < KILLS and not rounds.run(
            index_dir, Build(folder, index_dir, "--waves"), rng.uniform(0, 1.5)
        ):
            pass
        kills, waves = kills + rounds.kills, waves + rounds.waves
        if kills == KILLS:
            break
        assert_same_index(open_gallery(current_folder(index_dir)), undisturbed)
        assert len(generations(index_dir)) == 1
    assert waves > KILLS // 10
    print(f"{kills} kills of {number} first builds, {waves} served a wave: 0 lost, 0 phantom, 0 torn")
