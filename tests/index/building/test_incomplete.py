"""Pictures of which a part is missing are listed, and indexed only where that is wanted."""

from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from index.building.build import BuildOptions, build
from index.building.decoder_pool import DecoderPool
from index.building.thread_executor import ThreadExecutor
from index.gallery import open_gallery
from index.storage.gallery_rules import GalleryRules
from index.storage.skipped_files import read_skipped
from retrieval.descriptors.embedder import Embedder
from retrieval.types import quiet


def test_r61_incomplete_pictures_are_skipped_until_they_are_wanted(
    gallery: Path, tmp_path: Path, tiny_embedder: Embedder, pool: DecoderPool
):
    cut, noise = gallery / "cut.jpg", np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    Pillow.fromarray(noise).save(cut)
    cut.write_bytes(cut.read_bytes()[:40_000] + b"\xff\xd9")

    def built(incomplete: bool) -> Path:
        options = BuildOptions(rules=GalleryRules(incomplete=incomplete))
        return build(gallery, tmp_path / "index", ThreadExecutor(tiny_embedder, pool), quiet, options)

    without = built(False)
    assert [(file.file, file.reason) for file in read_skipped(without)] == [("cut.jpg", "incomplete")]
    assert built(False) == without
    wanted = built(True)
    assert not read_skipped(wanted) and "cut.jpg" in open_gallery(wanted).tables.ids
    assert built(True) == built(False) == wanted  # what is indexed stays
