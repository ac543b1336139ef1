"""A build on Ray equals a local build, even if processes die."""

import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from boxfind.engine import Engine
from boxfind.settings import Settings
from index.building import journal
from index.building.build import build
from index.building.describe_image import ImageTask
from index.building.thread_executor import ThreadExecutor
from index.cluster import ray_cluster, ray_executor
from index.cluster.ray_cluster import joined
from index.cluster.ray_executor import ActorPools, RayExecutor
from index.cluster.ray_stages import Describe, TaskResult, block_of, rows_of
from index.gallery import Gallery, open_gallery
from index.storage.folder_scan import Skipped, find_pictures
from index.storage.skipped_files import read_skipped
from retrieval.descriptors.embedder import Embedder
from retrieval.errors import BuildCancelled, ClusterProblem, RuntimeMissing, UnreadableImage, WeightsMissing
from retrieval.optional_packages import RAY, OptionalPackage
from retrieval.types import quiet
from tests.ray_networks import dies_once, tiny
from tests.same import assert_same_index
from tests.tiny import TINY_EMBEDDER, draw_picture

COUNT = 30


@pytest.fixture(scope="module")
def two_workers() -> Iterator[None]:
    """A local Ray; session-wide because it starts slowly."""
    if not RAY.installed:  # without importing it: its environment must be set first
        pytest.skip("builds on Ray need the extra ray")
    with joined("", workers=2):
        yield


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty images and some unusable files."""
    folder = tmp_path_factory.mktemp("ray") / "gallery"
    folder.mkdir()
    for number in range(COUNT):
        Pillow.fromarray(draw_picture(200 + number)).save(folder / f"{number:02}.png")
    jpeg = io.BytesIO()
    Pillow.fromarray(draw_picture(1)).save(jpeg, "JPEG")
    (folder / "cut.jpg").write_bytes(jpeg.getvalue()[:-400])
    (folder / "empty.png").touch()
    (folder / os.fsdecode(b"odd\xff.png")).write_bytes((folder / "00.png").read_bytes())
    return folder


@pytest.fixture(scope="module")
def local(many: Path, pool) -> Gallery:
    return open_gallery(build(many, many.parent / "local", ThreadExecutor(TINY_EMBEDDER, pool, 2), quiet))


@pytest.fixture
def build_on_ray(two_workers, many: Path, tmp_path: Path) -> Callable[..., Gallery]:
    def built(make: Callable[[], Embedder] = tiny, progress: Callable[..., None] = quiet, folder: Path = many):
        return open_gallery(build(folder, tmp_path / "index", RayExecutor(TINY_EMBEDDER, make), progress))

    return built


@pytest.fixture
def one_each(monkeypatch) -> None:
    """One decoder and one network process, because each takes seconds to start."""
    monkeypatch.setattr(
        ray_executor, "size_actor_pools", lambda _: ActorPools(1, 1, {"num_cpus": 1}, {"num_cpus": 1}, 4)
    )


def test_r16_a_worker_of_ray_is_killed_and_the_index_is_bit_for_bit_that_of_this_machine(
    build_on_ray, local: Gallery, tmp_path: Path
):
    told = []
    built = build_on_ray(partial(dies_once, tmp_path / "killed"), lambda *progress: told.append(progress))
    assert (tmp_path / "killed").exists()
    assert_same_index(built, local)
    assert read_skipped(built.folder) == read_skipped(local.folder)
    assert {s.reason for s in read_skipped(built.folder)} == {"truncated", "empty"}
    counted = [(done, total) for stage, done, total in told if stage == "Reading pictures"]
    assert counted == [(n, COUNT + 3) for n in range(1, COUNT + 4)]


def test_r36_r42_begun_on_ray_cancelled_and_ended_on_this_machine(
    build_on_ray, one_each, many: Path, local: Gallery, tmp_path: Path, pool, monkeypatch
):
    monkeypatch.setattr(journal, "SAVE_EVERY", 0.0)

    def cancelled(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("Reading pictures", 20):
            raise BuildCancelled("Cancelled.")

    before = ray_workers()
    with pytest.raises(BuildCancelled):
        build_on_ray(progress=cancelled)
    began = time.monotonic()
    while (going_on := ray_workers() - before) and time.monotonic() < began + 5:
        time.sleep(0.05)
    assert not going_on, "processes work on after a build was cancelled"
    left = []
    build(many, tmp_path / "index", ThreadExecutor(TINY_EMBEDDER, pool), lambda *progress: left.append(progress))
    assert max(total for stage, _, total in left if stage == "Reading pictures") == COUNT + 3 - 19
    assert_same_index(open_gallery(next((tmp_path / "index").glob("gen-*"))), local)


def ray_workers() -> set[str]:
    """Process ids of the local Ray actors."""
    return {path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if b"MapWorker" in _read(path)}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # the process has just ended
        return b""


def test_the_bundled_network_gives_the_same_regions_and_vectors(
    two_workers, one_each, gallery: Path, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(ray_cluster, "joined", lambda *_: nullcontext())  # already joined
    settings = Settings.load(gallery=gallery, workers=2, backbone="efficientnet-lite0")
    here, there = (Engine(settings.changed(engine=name, index=tmp_path / name)) for name in ("local", "ray"))
    here.builds.build(quiet)
    there.builds.build(quiet)
    one, other = here.gallery(), there.gallery()
    assert one.tables.ids == other.tables.ids and np.array_equal(one.tables.boxes, other.tables.boxes)
    rows = np.arange(one.region_count)
    assert (one.vectors(rows) * other.vectors(rows)).sum(axis=1).min() > 0.9999


@pytest.fixture
def answered(monkeypatch, gallery: Path) -> Callable[[object], list[object]]:
    """Handling of a machine's answer, tested without a cluster."""

    def ask(answer: object) -> list[object]:
        monkeypatch.setattr(RayExecutor, "_stream", lambda *_: (block_of([row]) for row in [(0, answer)]))
        monkeypatch.setattr(ray_executor, "size_actor_pools", lambda _: ActorPools(1, 1, {}, {}, 4))
        found = next(found for found in find_pictures(gallery)[0] if found.id == "3.png")
        return [result for _, result in RayExecutor(TINY_EMBEDDER, tiny)([ImageTask(found, frozenset())])]

    return ask


def test_a_machine_without_the_gallery_stops_the_build(answered, gallery: Path):
    missing = TaskResult("node7", Skipped("3.png", "missing", "There is no file 3.png."))
    with pytest.raises(ClusterProblem, match=r"node7 cannot read 3\.png, but this machine can\. .* the same path"):
        answered(missing)


def test_an_image_missing_on_every_machine_is_skipped(answered, monkeypatch):
    missing = Skipped("3.png", "missing", "There is no file 3.png.")

    def broken(_):
        raise UnreadableImage("unreadable", "It opens, and cannot be read.")

    monkeypatch.setattr(ray_executor, "read_file", broken)
    assert answered(TaskResult("node7", missing)) == [missing]


def test_a_machine_without_weights_stops_the_build(answered):
    def cannot() -> Embedder:
        raise WeightsMissing("The weights of resnet50 are not on this machine", "put them there")

    ((_, answer),) = rows_of(Describe(cannot)(block_of([(0, TaskResult("", None))])))
    with pytest.raises(ClusterProblem, match=r"cannot process pictures: The weights .* not on this machine; put them"):
        answered(answer)


def test_a_build_without_ray_installed_fails_with_a_sentence(monkeypatch):
    monkeypatch.setattr(ray_cluster, "RAY", OptionalPackage("ray[data]", "no_such_module", "ray"))
    with pytest.raises(RuntimeMissing, match=r"needs the package ray\[data\].*\.\[ray\]"), joined("", 1):
        pass


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("127.0.0.1:1", r"No Ray cluster answers at 127\.0\.0\.1:1; start one with `ray start --head`"),
        ("ray://head:10001", r"ray://head:10001 is not a Ray address; use .* such as 10\.0\.0\.5:6379"),
        ("head", "is not a Ray address"),
    ],
)
def test_an_unreachable_cluster_fails_with_a_sentence(address: str, says: str, monkeypatch):
    monkeypatch.setattr(ray_cluster, "RAY", OptionalPackage("ray[data]", "json", "ray"))  # as if installed
    with pytest.raises(ClusterProblem, match=says), joined(address, 1):
        pass


def test_a_ray_that_starts_too_slowly_is_started_once_more(two_workers, monkeypatch):
    import ray

    attempts = []

    def slow(**_: object) -> None:
        attempts.append(1)
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "init", slow)
    monkeypatch.setattr(ray, "shutdown", lambda: None)  # the Ray of the other tests goes on
    with pytest.raises(ClusterProblem, match=r"Ray cannot be started here: The current node timed out"), joined("", 1):
        pass
    assert len(attempts) == 2
