"""A picture that ends every process that looks at it, on a Ray of two workers."""

from functools import partial
from pathlib import Path

import pytest

from index.building.build import build
from index.cluster.ray_cluster import joined
from index.cluster.ray_executor import RayExecutor
from index.gallery import open_gallery
from index.storage.skipped_files import read_skipped
from retrieval.optional_packages import RAY
from tests.ray_networks import dies_of
from tests.tiny import TINY_EMBEDDER, draw_picture


@pytest.mark.skipif(not RAY.installed, reason="builds on Ray need the extra ray")
def test_r16_a_picture_that_kills_every_worker_of_ray_costs_only_itself(gallery: Path, tmp_path: Path):
    killer = tuple(draw_picture(3)[0, 0].tolist())
    with joined("", workers=2):
        look = RayExecutor(TINY_EMBEDDER, partial(dies_of, killer))
        built = open_gallery(build(gallery, tmp_path / "index", look, lambda *_: None))
    ((file, reason, sentence),) = [(s.file, s.reason, s.sentence) for s in read_skipped(built.folder)]
    assert (file, reason) == ("3.png", "decoder_crash") and sentence.startswith("3.png crashes")
    assert len(built.tables.ids) == 7
