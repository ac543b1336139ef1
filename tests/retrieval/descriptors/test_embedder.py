"""Queries are described like gallery images, and invalid boxes raise BadBox."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.descriptors.embedder import Embedder, checked_box, network_size
from retrieval.descriptors.pooling import POOLINGS
from retrieval.descriptors.whitening import Whitening
from retrieval.errors import BadBox, UnknownName
from retrieval.images.resize import crop_image
from retrieval.networks.imagenet_classes import Classifier
from retrieval.regions.find_regions import find_regions
from retrieval.regions.tiles import image_tiles
from retrieval.types import Box, Region, unit

PLAIN = Whitening("identity", np.zeros(16, np.float32), np.eye(16, dtype=np.float32))
PICTURE, SIZE = np.zeros((300, 400, 3), np.uint8), (400, 300)
edges = st.integers(-500, 900)


@given(edges, edges, st.integers(-50, 900), st.integers(-50, 900), st.floats(1, 2))
def test_checked_box_lies_in_the_image_and_is_large_enough(x, y, w, h, context):
    box = Box.from_xywh(x, y, w, h)
    inside_w, inside_h = min(x + w, 400) - max(x, 0), min(y + h, 300) - max(y, 0)
    if min(inside_w, inside_h) < 8:
        with pytest.raises(BadBox, match=r"\.$"):
            checked_box(SIZE, box, context)
        return
    found = checked_box(SIZE, box, context)
    assert 0 <= found.x0 <= max(x, 0) and 0 <= found.y0 <= max(y, 0)
    assert min(x + w, 400) <= found.x1 <= 400 and min(y + h, 300) <= found.y1 <= 300
    if context == 1:
        assert found == box.clipped(400, 300)


def test_messages_of_bad_boxes_say_what_to_draw():
    with pytest.raises(BadBox, match="outside the picture, which is 400 x 300"):
        checked_box(SIZE, Box.from_xywh(400, 0, 50, 50))
    with pytest.raises(BadBox, match="is 3 x 200 pixels; draw one of at least 8 x 8"):
        checked_box(SIZE, Box.from_xywh(397, 0, 50, 200))


def test_context_of_1_2_adds_a_tenth_on_each_side():
    assert checked_box(SIZE, Box.from_xywh(100, 100, 100, 50), 1.2) == Box(90, 95, 210, 155)
    assert checked_box(SIZE, Box.from_xywh(0, 0, 100, 50), 1.2) == Box(0, 0, 110, 55)


@given(
    st.integers(8, 20_000),
    st.integers(8, 20_000),
    st.sampled_from([224, 256, 512, 640]),
    st.sampled_from([8, 14, 16, 32]),
)
def test_network_size_is_a_multiple_of_the_stride(width, height, side, stride):
    w, h = network_size(width, height, side, stride)
    assert w % stride == h % stride == 0 and min(w, h) >= stride
    assert max(w, h) == round(side / stride) * stride
    factor = side / max(width, height)
    assert abs(w - width * factor) <= stride and abs(h - height * factor) <= stride


@pytest.mark.parametrize("pooling", POOLINGS)
def test_query_of_the_whole_image_equals_its_whole_region(draw, make_embedder, pooling):
    embedder = make_embedder(pooling=pooling, query_side=32)
    for seed, size in enumerate([(128, 96), (90, 200), (64, 64), (333, 222)]):
        image = draw(seed, *size)
        described = embedder.describe(image)
        regions, vectors = described.regions, described.vectors
        assert regions[0].kind == "whole"
        assert embedder.query(image, Box.whole(image), PLAIN).descriptor == pytest.approx(vectors[0], abs=1e-6)


def watching(embedder: Embedder, seen: list) -> Embedder:
    """Records the (height, width) of every network input."""

    def run(pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        seen.append(pixels.shape[1:3])
        return embedder.run(pixels)

    return Embedder(embedder.recipe, run)


def test_crop_has_the_scale_of_the_gallery_and_a_minimum_side(draw, make_embedder):
    seen = []

    embedder = watching(make_embedder(side=512, query_side=128), seen)
    image = draw(1, 1024, 768)
    embedder.describe(image)
    for box in (Box.whole(image), Box(0, 0, 512, 384), Box(100, 100, 164, 132), Box(10, 10, 18, 18)):
        embedder.query(image, box, PLAIN)
    assert seen == [(384, 512), (384, 512), (192, 256), (64, 128), (128, 128)]


def test_crop_is_described_at_every_scale_and_the_whole_image_at_one(draw, make_embedder):
    seen = []
    embedder = watching(make_embedder(side=512, query_side=128, query_views=(0.5, 1.0, 1.5)), seen)
    image = draw(1, 1024, 768)
    for box in (Box(0, 0, 512, 512), Box(10, 10, 74, 74), Box.whole(image), Box(-9, -9, 2000, 2000)):
        embedder.query(image, box, PLAIN)
    assert seen == [(128, 128), (256, 256), (384, 384), (64, 64), (128, 128), (192, 192), (384, 512), (384, 512)]


def test_descriptor_is_the_mean_of_its_views(draw, make_embedder):
    image, box = draw(4, 512, 384), Box(30, 20, 290, 220)
    mean = np.full(16, 0.1, np.float32)
    white = Whitening("pca", mean, np.linalg.qr(np.random.default_rng(0).normal(size=(16, 16)))[0].astype(np.float32))
    alone = [
        make_embedder(side=256, query_side=64, query_views=(view,)).query(image, box, white).descriptor
        for view in (0.5, 1.0, 2.0)
    ]
    embedder = make_embedder(side=256, query_side=64, query_views=(0.5, 1.0, 2.0))
    assert embedder.query(image, box, white).descriptor == pytest.approx(unit(np.mean(alone, axis=0)), abs=1e-6)
    assert min(a @ b for a in alone for b in alone) < 0.999  # they do differ


def two_layers(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A network with cells of 32 and 16 pixels: mean colour, and distance of the colour from grey."""
    count, height, width, _ = pixels.shape
    coarse, fine = (
        pixels.reshape(count, height // cell, cell, width // cell, cell, 3).mean(axis=(2, 4), dtype=np.float32)
        for cell in (32, 16)
    )
    return coarse.transpose(0, 3, 1, 2), fine.transpose(0, 3, 1, 2) - 128


@pytest.mark.parametrize("views", [(1.0,), (0.56, 0.8, 1.12)])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_gallery_image_finds_itself_with_similarity_1(draw, make_embedder, pooling, views):
    recipe = make_embedder(pooling=pooling, query_views=views, query_side=64).recipe
    embedder = Embedder(recipe, two_layers)
    rng = np.random.default_rng(0)
    whitening = Whitening(
        "mined", rng.normal(size=6).astype(np.float32) / 9, rng.normal(size=(6, 4)).astype(np.float32)
    )
    for seed, size in enumerate([(128, 96), (90, 200), (64, 64)]):
        image = draw(seed, *size)
        stored = whitening.apply(embedder.describe(image).vectors)[0]
        query = embedder.query(image, Box.whole(image), whitening).descriptor
        assert query @ stored == pytest.approx(1, abs=1e-6)


def test_regions_follow_the_recipe_and_vectors_have_unit_length(draw, make_embedder):
    image = draw(1, 200, 150)
    described = make_embedder(grid_levels=3).describe(image)
    regions, vectors = described.regions, described.vectors
    assert regions == find_regions(image, (200, 150), ("whole", "grid"), 3, {})
    assert vectors.shape == (21, 16) and vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_crop_query_ignores_pixels_outside_the_box(draw, tiny_embedder):
    image = draw(2, 300, 200)
    box = Box(60, 40, 200, 160)
    elsewhere = image.copy()
    elsewhere[:40] = 0
    elsewhere[:, 200:] = 255

    def descriptor(of: np.ndarray, box: Box, context: float = 1.0) -> np.ndarray:
        return tiny_embedder.query(of, box, PLAIN, context).descriptor

    assert np.array_equal(descriptor(image, box), descriptor(elsewhere, box))
    assert not np.array_equal(descriptor(elsewhere, box, 1.5), descriptor(elsewhere, box))
    assert np.array_equal(descriptor(image, Box(-50, 40, 200, 160)), descriptor(image, Box(0, 40, 200, 160)))


def test_query_holds_the_crop(draw, tiny_embedder):
    image = draw(2, 300, 200)
    assert np.array_equal(tiny_embedder.query(image, Box(60, 40, 200, 160), PLAIN).crops[0], image[40:160, 60:200])
    assert np.array_equal(tiny_embedder.query(image, Box(-9, 100, 100, 999), PLAIN).crops[0], image[100:, :100])
    wider = tiny_embedder.query(image, Box(100, 100, 200, 150), PLAIN, 1.2)
    assert np.array_equal(wider.crops[0], image[95:155, 90:210])
    assert np.array_equal(tiny_embedder.query(image, Box.whole(image), PLAIN).crops[0], image)


def test_query_is_whitened(draw, tiny_embedder):
    image = draw(3)
    plain = tiny_embedder.query(image, Box.whole(image), PLAIN).descriptor
    mean = np.full(16, 0.1, np.float32)
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(16, 16)))[0][:, :5].astype(np.float32)
    white = tiny_embedder.query(image, Box.whole(image), Whitening("pca", mean, axes)).descriptor
    assert white.shape == (5,)
    assert white == pytest.approx(unit((plain - mean) @ axes), abs=1e-5)


def test_unknown_pooling_lists_the_choices(draw, make_embedder):
    with pytest.raises(UnknownName, match="choose from: gap, gem, mac, rmac"):
        make_embedder(pooling="gme").describe(draw(1))


def test_slice_query_equals_the_region_of_the_gallery(draw, tiny_embedder):
    image = draw(3, 300, 200)
    described = tiny_embedder.describe(image)
    for region, vector in zip(described.regions, described.vectors, strict=True):
        query = tiny_embedder.query(image, region.box, PLAIN, mode="slice")
        assert query.descriptor @ unit(vector) == pytest.approx(1, abs=1e-6)
    box = Box(60, 40, 200, 160)
    assert tiny_embedder.query(image, box, PLAIN, mode="slice").descriptor @ tiny_embedder.query(
        image, box, PLAIN
    ).descriptor == pytest.approx(0.9, abs=0.0999)  # its cells come from the whole image


def test_unknown_query_mode_lists_the_choices(draw, tiny_embedder):
    with pytest.raises(UnknownName, match="choose from: crop, slice"):
        tiny_embedder.query(draw(1), Box(0, 0, 64, 64), PLAIN, mode="cut")


def test_detected_regions_are_described(draw, make_embedder):
    image = draw(5, 300, 200)
    thing = Region(Box(50, 40, 150, 140), "detector", 0.8, "cup")
    embedder = replace(make_embedder(regions=("whole", "detector")), detectors={"detector": lambda _: [thing]})
    described = embedder.describe(image, (600, 400))
    found = Region(Box(100, 80, 300, 280), "detector", 0.8, "cup")
    assert described.regions == [Region(Box(0, 0, 600, 400), "whole"), found]
    assert described.vectors.shape == (2, 16) and described.class_scores.classes.shape == (2, 0)


def test_tiles_are_described_at_a_finer_scale(draw, make_embedder):
    image = draw(5, 320, 256)
    embedder = make_embedder(side=160, tiled_from=640, tiles=2)
    boxes = image_tiles(640, 512, 640, 2)
    tiles = [crop_image(image, box, (640, 512)) for box in boxes]
    described = embedder.describe(image, (640, 512), tiles)
    alone = embedder.describe(image, (640, 512))
    count = len(alone.regions)
    assert described.regions[:count] == alone.regions and np.array_equal(described.vectors[:count], alone.vectors)
    assert [region.box for region in described.regions if region.kind == "tile"][::count][:4] == boxes
    assert len(described.regions) == len(described.class_scores.classes) == 5 * count
    last = embedder.describe(tiles[3], (boxes[3].width, boxes[3].height))
    assert np.array_equal(described.vectors[-count:], last.vectors)
    assert described.regions[-1].box == last.regions[-1].box.shifted(boxes[3].x0, boxes[3].y0)


def test_classifier_gives_class_scores_for_each_region(draw, tiny_embedder):
    weight = np.random.default_rng(0).normal(size=(1000, 16)).astype(np.float32)
    embedder = replace(tiny_embedder, classifier=Classifier(weight, np.zeros(1000, np.float32)))
    described = embedder.describe(draw(5, 300, 200))
    scores = described.class_scores
    assert scores.classes.shape == scores.shares.shape == (len(described.regions), embedder.classes)
    assert (np.diff(scores.shares.astype(float), axis=1) <= 0).all() and scores.classes.max() < 1000
