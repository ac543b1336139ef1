"""An index of another precision is kept if this machine's descriptors are interchangeable with it, else read again."""

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from index.building.build import BuildOptions, build
from index.building.comparable_precision import SAMPLES
from index.building.thread_executor import ThreadExecutor
from index.operations.verify import verify
from index.storage.manifest import Manifest, read_manifest
from retrieval.descriptors.embedder import Embedder
from retrieval.types import quiet

MOSTLY_KEPT = 0.002
"""Noise on the feature maps that leaves a cosine above .999."""


class OtherMachine:
    """Builds in another precision: the tiny network with noise. Counts the pictures it has seen."""

    def __init__(self, embedder: Embedder, pool, noise: float, precision: str = "float32") -> None:
        self.seen, self.said, self._run, self._pool, self._noise = 0, [], embedder.run, pool, noise
        self._embedder = Embedder(replace(embedder.recipe, precision=precision), self._noisy)

    def _noisy(self, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        self.seen += len(pixels)
        rng = np.random.default_rng(int(pixels.sum()))
        return tuple(layer * rng.normal(1, self._noise, layer.shape).astype(np.float32) for layer in self._run(pixels))

    def build(self, gallery: Path, index: Path, **options: object) -> Manifest:
        self.seen, self.said = 0, []
        executor = ThreadExecutor(self._embedder, self._pool)
        folder = build(gallery, index, executor, quiet, BuildOptions(notify=self.said.append, **options))
        assert verify(index) == []
        return read_manifest(folder)


@pytest.fixture
def gallery(tmp_path: Path, draw) -> Path:
    (tmp_path / "gallery").mkdir()
    for number in range(24):
        Pillow.fromarray(draw(number, 64, 48)).save(tmp_path / "gallery" / f"{number}.bmp")
        os.utime(tmp_path / "gallery" / f"{number}.bmp", (time.time() - 1000,) * 2)
    return tmp_path / "gallery"


@pytest.fixture
def index(gallery: Path, build_index, make_embedder) -> Path:
    """An index that was built in bfloat16."""
    return build_index(gallery, embedder=make_embedder(precision="bfloat16")).parent


def test_r75_an_index_of_a_comparable_precision_is_kept(gallery, index, tiny_embedder, pool, draw):
    machine = OtherMachine(tiny_embedder, pool, MOSTLY_KEPT)
    Pillow.fromarray(draw(100, 64, 48)).save(gallery / "new.bmp")
    updated = machine.build(gallery, index)
    assert machine.seen == SAMPLES + 1 and updated.changes.kept == 24 and updated.changes.reread == 0
    assert updated.recipe.precision == "bfloat16" and [*updated.precisions] == ["float32"]
    assert 0.999 < updated.precisions["float32"] < 1
    (sentence,) = machine.said
    assert "computes in float32, and the index was built in bfloat16" in sentence and "not read again" in sentence


def test_r75_it_is_measured_once(gallery, index, tiny_embedder, pool, draw):
    machine = OtherMachine(tiny_embedder, pool, MOSTLY_KEPT)
    measured = machine.build(gallery, index)
    assert machine.seen == SAMPLES and measured.precisions
    assert machine.build(gallery, index) == measured and machine.seen == 0 and not machine.said
    Pillow.fromarray(draw(100, 64, 48)).save(gallery / "new.bmp")
    assert machine.build(gallery, index).precisions == measured.precisions and machine.seen == 1 and not machine.said
    at_home = OtherMachine(tiny_embedder, pool, 0, "bfloat16")
    assert at_home.build(gallery, index).precisions == measured.precisions and at_home.seen == 0


@pytest.mark.parametrize(("noise", "asked"), [(0.2, False), (MOSTLY_KEPT, True)])
def test_r75_all_pictures_are_read_again_if_it_differs_or_another_one_is_asked_for(
    gallery, index, tiny_embedder, pool, noise, asked
):
    machine = OtherMachine(tiny_embedder, pool, noise)
    updated = machine.build(gallery, index, exact_precision=asked, estimate=lambda _: 5.0)
    assert machine.seen == (0 if asked else SAMPLES) + 24
    assert machine.said == ["All 24 pictures are read again, about 2 min: precision changed from bfloat16 to float32."]
    assert updated.recipe.precision == "float32" and not updated.precisions
    assert (updated.changes.kept, updated.changes.reread) == (24, 24)


def test_r75_after_a_full_build_the_index_has_one_precision(gallery, index, tiny_embedder, pool):
    machine = OtherMachine(tiny_embedder, pool, MOSTLY_KEPT)
    assert machine.build(gallery, index).precisions
    again = machine.build(gallery, index, full=True)
    assert again.recipe.precision == "float32" and not again.precisions


def test_r75_replaced_pictures_say_nothing_about_a_precision(gallery, index, tiny_embedder, pool, draw):
    for path in gallery.iterdir():  # uncompressed, so that the size stays the same
        Pillow.fromarray(draw(200 + int(path.stem), 64, 48)).save(path)
    updated = OtherMachine(tiny_embedder, pool, 0).build(gallery, index)
    assert updated.recipe.precision == "float32" and updated.changes.changed == 24
