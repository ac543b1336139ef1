"""Where the time of a build goes: processor time of each step of a picture, and of each stage of a whole build."""

import hashlib
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar
from unittest import mock

import psutil

from benchmarks.bench import Bench
from benchmarks.results import record, table
from boxfind.embedders import embedder_for_building
from boxfind.engine import Engine
from boxfind.settings import Settings
from index.building.decode_tasks import ENOUGH, DecodedImage
from index.building.decoder_pool import DecoderPool
from index.building.describe_image import ImageTask, decode_task, describe_image
from index.building.journal import DescribedImage, JournalKey, open_journal
from index.building.waves import Waves
from index.building.worker_process import keep_freed_memory
from index.storage.folder_scan import ScannedFile, find_pictures
from index.storage.keypoint_codec import pack_keypoints
from retrieval.blas_threads import one_blas_thread
from retrieval.descriptors.embedder import Embedder, network_size
from retrieval.descriptors.pooling import POOLINGS, gap, pool_layers
from retrieval.images.decode import decode_picture, read_file
from retrieval.images.resize import resize_image, thumbnail
from retrieval.ranking.keypoints import find_keypoints, use_one_thread
from retrieval.regions.find_regions import find_regions
from retrieval.types import Image, Progress, quiet

STEPS = 200
"""Pictures whose steps are measured one by one."""
DECODED = ("reading the file", "hashing", "decoding", "resizing", "thumbnail", "keypoints", "packing keypoints")
"""Steps of a decoder process."""
PASSED, WAVES, OTHERS = "passing between processes", "Waves", "Everything else"

T = TypeVar("T")


class _Clock:
    """Sums the processor time of steps."""

    def __init__(self) -> None:
        self.seconds = defaultdict[str, float](float)

    def __call__(self, step: str, work: Callable[[], T]) -> T:
        began = time.process_time()
        result = work()
        self.seconds[step] += time.process_time() - began
        return result


def measure(bench: Bench) -> None:
    settings = bench.settings.changed(gallery=bench.galleries(1)[0], workers=2)
    embedder_for_building(settings, quiet)  # converts the network
    embedder = embedder_for_building(settings.changed(workers=1), quiet)[0]
    found = find_pictures(settings.gallery_dir)[0]
    one_by_one = found[:STEPS]
    steps = {name: seconds / len(one_by_one) for name, seconds in picture_steps(embedder, one_by_one).items()}
    total = sum(steps.values())
    rows = [[name, f"{1000 * of_one:.2f}", f"{of_one / total:.0%}"] for name, of_one in steps.items()]
    rows.append(["**all**", f"{1000 * total:.1f}", "100%"])
    with tempfile.TemporaryDirectory() as index:
        stages, seconds = build_stages(settings.changed(index=Path(index)))
    whole = sum(stages.values())
    others = [[name, f"{1000 * s / len(found):.1f}", f"{s:.1f}", f"{s / whole:.0%}"] for name, s in stages.items()]
    others.append([f"**all**, in {seconds:.0f} s", f"{1000 * whole / len(found):.1f}", f"{whole:.1f}", "100%"])
    record(
        f"Stages of a build ({embedder.recipe.precision})",
        table(["step of a picture", "ms of a core", "share"], rows),
        table(["stage of a build", "ms of a core per picture", "s of a core", "share"], others),
    )


def picture_steps(embedder: Embedder, found: list[ScannedFile]) -> dict[str, float]:
    """Seconds of a core for each step, in all, done one after the other in this thread.

    Only the passing between processes is not measured by itself: it is what a decoder process and this one take
    together, less the steps of the decoder process.
    """
    use_one_thread()
    keep_freed_memory()
    clock = _Clock()
    with one_blas_thread(), tempfile.TemporaryDirectory() as folder, DecoderPool(1) as pool:
        with open_journal(Path(folder), JournalKey("stages", "", {}), embedder.recipe.dedup_similarity) as journal:
            tasks = [ImageTask(file, frozenset()) for file in found]
            warm = [*_decoded(tasks[:5], pool, embedder)]
            for task, decoded in warm:
                _decode(_Clock(), task.file.path, embedder)
                describe_image(task, decoded, embedder)
            for task in tasks:
                _decode(clock, task.file.path, embedder)
            for task, decoded in _decoded(tasks, pool, embedder):
                _describe(clock, decoded.pixels, (decoded.width, decoded.height), embedder)
                described = describe_image(task, decoded, embedder)
                assert isinstance(described, DescribedImage)
                clock("journal", partial(journal.add, described))
        before = _processor_seconds()
        for _ in _decoded(tasks, pool, embedder):
            pass
        by_process = _processor_seconds() - before
    clock.seconds[PASSED] = max(by_process - sum(clock.seconds[step] for step in DECODED), 0.0)
    return dict(clock.seconds)


def build_stages(settings: Settings) -> tuple[dict[str, float], float]:
    """Seconds of a core for each stage of a build, all processes together; and its seconds."""
    spent, stage, since = defaultdict[str, float](float), OTHERS, _processor_seconds()

    def enter(next_stage: str) -> str:
        nonlocal stage, since
        before, now = stage, _processor_seconds()
        spent[before] += now - since
        stage, since = next_stage, now
        return before

    publish = Waves._publish

    def timed(waves: Waves, progress: Progress) -> bool:
        before = enter(WAVES)
        try:
            return publish(waves, progress)
        finally:
            enter(before)

    def progress(name: str, *_: object) -> None:
        if stage not in (name, WAVES):
            enter(name)

    with mock.patch.object(Waves, "_publish", timed):
        began = time.perf_counter()
        Engine(settings).builds.build(progress)
        enter(OTHERS)
        return dict(spent), time.perf_counter() - began


def _decoded(tasks: list[ImageTask], pool: DecoderPool, embedder: Embedder) -> Iterator[tuple[ImageTask, DecodedImage]]:
    """The pictures of a decoder process."""
    for task in tasks:
        for decoded in decode_task(task, pool, embedder.recipe):
            assert isinstance(decoded, DecodedImage)
            yield task, decoded


def _processor_seconds() -> float:
    """The processor time of this process and all its child processes, running or ended."""
    times = os.times()
    return sum(times[:4]) + sum(sum(child.cpu_times()[:4]) for child in psutil.Process().children(recursive=True))


def _decode(clock: _Clock, path: Path, embedder: Embedder) -> None:
    """What a decoder process does."""
    recipe = embedder.recipe
    data = clock("reading the file", lambda: read_file(path))
    clock("hashing", lambda: hashlib.sha256(data).hexdigest())
    decoded = clock("decoding", lambda: decode_picture(data, path.name, ENOUGH * recipe.side))
    clock("resizing", lambda: resize_image(decoded.image, *network_size(*decoded.size, recipe.side, recipe.stride)))
    clock("thumbnail", lambda: thumbnail(decoded.image))
    if recipe.keypoints:
        found = clock("keypoints", lambda: find_keypoints(decoded.image, limit=recipe.keypoints or 0))
        clock("packing keypoints", lambda: pack_keypoints(found, *decoded.image.shape[1::-1]))


def _describe(clock: _Clock, pixels: Image, size: tuple[int, int], embedder: Embedder) -> None:
    """What the thread does that runs the network."""
    recipe = embedder.recipe
    found = clock("regions", lambda: find_regions(pixels, size, recipe.regions, recipe.grid_levels, embedder.detectors))
    boxes = [region.box for region in found]
    layers = clock("network", lambda: [layer[0] for layer in embedder.run(pixels[None])])
    classifier, pooling = embedder.classifier, POOLINGS[recipe.pooling]
    if classifier:
        clock("class scores", lambda: classifier.likely(gap(layers[0], boxes, size)))
    clock("pooling", lambda: pool_layers(layers, boxes, size, pooling, recipe.mid_layer_weight))
