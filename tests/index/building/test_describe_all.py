"""What the whitening is learned from, and that the learned projection is used for every picture."""

from pathlib import Path

import numpy as np

from index.building import describe_all as describe
from index.gallery import open_gallery
from retrieval.descriptors.whitening import Whitening
from retrieval.images.decode import load_image
from retrieval.ranking.keypoints import find_keypoints
from retrieval.types import Box


def test_the_whitening_is_refined_with_the_boxes_and_keypoints_of_each_picture(
    gallery: Path, build_index, tiny_embedder, monkeypatch
):
    start = Whitening("mined", np.zeros(16, np.float32), np.eye(16, 8, dtype=np.float32))
    seen = {}

    def refine(whitening, vectors, images, boxes, read):
        assert whitening is start and len(vectors) == len(images) == len(boxes)
        for image in np.unique(images):
            seen[image] = boxes[np.searchsorted(images, image)], *read(int(image)), vectors[images == image]
        return Whitening("contrastive", start.mean, 2 * start.projection[:, ::-1])

    monkeypatch.setattr(describe, "learn_whitening", lambda *_: start)
    monkeypatch.setattr(describe, "refine_whitening", refine)
    index = open_gallery(build_index(gallery))
    assert index.whitening.kind == "contrastive" and len(seen) == len(index.tables.ids) == 8
    described = {vectors.tobytes(): facts for *facts, vectors in seen.values()}
    for name in index.tables.ids:
        image = load_image(gallery / name)
        regions = tiny_embedder.describe(image)
        box, keypoints, size = described[regions.vectors.tobytes()]
        found = find_keypoints(image)
        assert box == Box.whole(image) and size == (image.shape[1], image.shape[0])
        assert np.array_equal(keypoints.descriptors, found.descriptors)
        stored = index.vectors(index.rows_of(index.number(name)))
        assert np.array_equal(stored, index.whitening.apply(regions.vectors))


def test_tiles_are_indexed_and_do_not_teach_the_whitening(gallery: Path, build_index, make_embedder, monkeypatch):
    plain = open_gallery(build_index(gallery, into="plain"))
    learned = []
    monkeypatch.setattr(
        describe, "learn_whitening", lambda vectors, *_: learned.append(len(vectors)) or plain.whitening
    )
    embedder = make_embedder(tiled_from=128, tiles=2)
    tiled = open_gallery(build_index(gallery, into="tiled", embedder=embedder))
    assert learned == [len(plain.descriptors)] and tiled.manifest.recipe.tiled_from == 128
    name = tiled.tables.ids[0]
    rows = [tiled.rows_of(tiled.number(name)), plain.rows_of(plain.number(name))]
    kinds = [tiled.region(row).kind for row in rows[0].tolist()]
    assert len(rows[0]) == 5 * len(rows[1]) and kinds.count("tile") == 4 * len(rows[1])
    untiled = rows[0][[kind != "tile" for kind in kinds]]
    assert np.array_equal(tiled.vectors(untiled), plain.vectors(rows[1]))
