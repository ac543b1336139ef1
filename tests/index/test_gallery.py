"""Indexed images are found again, in the whole gallery and in subfolders."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from index.gallery import open_gallery
from retrieval.errors import GalleryProblem, IndexProblem, UnknownName
from retrieval.images.decode import load_image
from retrieval.ranking.match_figure import rarity
from retrieval.search import RANKINGS, search
from retrieval.types import Box, Query


@pytest.mark.parametrize("pooling", ["gap", "gem", "mac", "rmac"])
def test_r28_every_picture_finds_itself_first(gallery: Path, build_index, make_embedder, pooling):
    embedder = make_embedder(pooling=pooling)
    built = open_gallery(build_index(gallery, embedder=embedder))
    for image in built.tables.ids:
        picture = load_image(built.file(image))
        hits = search(embedder.query(picture, Box.whole(picture), built.whitening), built, top=0)
        assert hits[0].image == image
        assert hits[0].score == pytest.approx(1, abs=1e-4) and hits[0].similarity == hits[0].score
        assert (hits[0].region.kind, hits[0].region.box) == ("whole", Box.whole(picture))
        assert sorted(hit.image for hit in hits) == built.tables.ids
        assert all(a.score >= b.score for a, b in itertools.pairwise(hits))


def test_a_region_of_a_picture_finds_the_picture_and_the_region(gallery: Path, build_index, tiny_embedder):
    built = open_gallery(build_index(gallery))
    picture = load_image(built.file("3.png"))
    row = built.tables.rows_of(built.tables.numbers["3.png"])[3]
    hits = search(Query((picture,), np.load(built.folder / "vectors.npy")[row]), built, top=3)
    assert (hits[0].image, hits[0].region) == ("3.png", built.regions("3.png")[3])
    assert tiny_embedder.describe(picture).regions == built.regions("3.png")


def test_a_reopened_index_answers_the_same(gallery: Path, build_index, tiny_embedder):
    folder = build_index(gallery)
    picture = load_image(gallery / "1.png")
    query = tiny_embedder.query(picture, Box(10, 10, 70, 60), open_gallery(folder).whitening)
    for ranking in RANKINGS:
        one, other = (search(query, open_gallery(folder), ranking, 5) for _ in range(2))
        assert len(one) == 5 and one == other


def test_entry_of_an_image(gallery: Path, build_index):
    built = open_gallery(build_index(gallery))
    entry = built.entry("below/6.png")
    assert (entry.width, entry.height) == (128, 96)
    assert built.file("below/6.png") == gallery / "below" / "6.png"
    assert built.region_count == sum(len(built.regions(image)) for image in built.tables.ids)


def test_a_deleted_generation_still_answers_but_has_no_thumbnails(gallery: Path, build_index, tiny_embedder):
    old = open_gallery(build_index(gallery))
    build_index(gallery, full=True)
    assert old.thumbnail("1.png")[:2] == b"\xff\xd8"
    build_index(gallery, full=True)
    picture = load_image(gallery / "1.png")
    for ranking in RANKINGS:
        query = tiny_embedder.query(picture, Box.whole(picture), old.whitening)
        assert search(query, old, ranking)[0].image == "1.png"
    assert len(old.keypoints(0)[0]) == 0
    with pytest.raises(IndexProblem, match="rebuilt"):
        old.thumbnail("1.png")


def test_unknown_names(gallery: Path, build_index):
    folder = build_index(gallery)
    with pytest.raises(IndexProblem, match=r"no picture 'gone\.png'"):
        open_gallery(folder).entry("gone.png")
    with pytest.raises(UnknownName, match="choose from: auto, cells, flat, half"):
        open_gallery(folder, "round")


def test_image_and_vector_of_a_row(gallery: Path, build_index):
    built = open_gallery(build_index(gallery))
    stored = np.load(built.folder / "vectors.npy")
    rows = np.array([5, 0, built.region_count - 1, 5])
    assert np.array_equal(built.vectors(rows), stored[rows]) and built.vectors(rows[:0]).shape == (0, stored.shape[1])
    assert [built.name(image) for image in built.images_of(rows)] == ["0.png", "0.png", "below/7.png", "0.png"]
    assert built.image_count == 8 and built.background == built.manifest.background
    assert built.graph.nodes.tolist() == list(range(built.region_count))


def test_the_best_ranking_shows_where_the_object_is(tmp_path: Path, build_index, tiny_embedder):
    """A patch is enlarged in one of ten detailed images."""
    folder = tmp_path / "detailed"
    folder.mkdir()

    def detailed(seed: int, rows: int, columns: int) -> np.ndarray:
        colours = np.random.default_rng(seed).integers(0, 256, (rows, columns, 3), dtype=np.uint8)
        return colours.repeat(16, axis=0).repeat(16, axis=1)

    card = detailed(99, 10, 12)
    for number in range(10):
        picture = detailed(number, 20, 30)
        if number == 6:
            picture[40:280, 60:348] = np.asarray(Pillow.fromarray(card).resize((288, 240), Pillow.Resampling.BICUBIC))
        Pillow.fromarray(picture).save(folder / f"{number}.png")
    built = open_gallery(build_index(folder))
    asking = detailed(50, 20, 30)
    asking[100:260, 200:392] = card
    hits = search(tiny_embedder.query(asking, Box(200, 100, 392, 260), built.whitening), built, "best", 0)
    found = {hit.image: hit for hit in hits}["6.png"]
    assert found.region.kind == "verified" and found.confidence != "unlikely" and found.parts["verification"] >= 1
    assert found.parts["appearance"] > 1 and built.pixels(built.number("6.png")).shape == (213, 320, 3)
    assert built.pixels(built.number("6.png"), enough=50).shape == (54, 80, 3)  # a quarter
    assert built.pixels(built.number("6.png"), Box(0, 0, 240, 160), 50).shape == (54, 80, 3)  # a box, half as small
    assert found.region.box.xywh == pytest.approx((60, 40, 288, 240), abs=5)
    assert sorted(hit.image for hit in hits) == built.tables.ids
    assert max(hit.parts["verification"] for hit in hits if hit.image != "6.png") < 0.5


def drawn(draw: Callable, number: int) -> np.ndarray:
    return draw(number, 64, 48)


def flat(draw: Callable, number: int) -> np.ndarray:
    return np.full((48, 64, 3), 90, np.uint8)


def copied(draw: Callable, number: int) -> np.ndarray:
    return draw(number % 2, 64, 48)


@pytest.mark.parametrize("images", [1, 2, 5, 30])
@pytest.mark.parametrize("picture", [drawn, flat, copied])
def test_a_gallery_of_any_size_answers(tmp_path: Path, build_index, make_embedder, draw, picture, images):
    folder = tmp_path / "some"
    folder.mkdir()
    for number in range(images):
        Pillow.fromarray(picture(draw, number)).save(folder / f"{number:02d}.png")
    embedder = make_embedder(query_side=64, query_views=(0.56, 0.8, 1.12), dedup_similarity=0.95, pooling="gem")
    built = open_gallery(build_index(folder, embedder=embedder))
    names = [f"{number:02d}.png" for number in range(images)]
    for asking in (picture(draw, images - 1), draw(77, 64, 48)):
        for box in (Box.whole(asking), Box(5, 7, 40, 40)):
            query = embedder.query(asking, box, built.whitening)
            for ranking in RANKINGS:
                hits = search(query, built, ranking, 0)
                assert sorted(hit.image for hit in hits) == names
                assert all(np.isfinite(hit.score) and hit.score == sum(hit.parts.values()) for hit in hits)
                assert all(-1.001 < hit.similarity < 1.001 for hit in hits)
                for hit in hits:
                    box_ = hit.region.box
                    assert 0 <= box_.x0 < box_.x1 <= 64 and 0 <= box_.y0 < box_.y1 <= 48
                few = search(query, built, ranking, 3)
                assert [(hit.image, hit.score) for hit in few] == [(hit.image, hit.score) for hit in hits[:3]]
                if (
                    asking.shape == query.crops[0].shape
                    and ranking == "fast"
                    and np.array_equal(asking, picture(draw, images - 1))
                ):
                    itself = {hit.image: hit for hit in hits}[names[-1]]
                    assert itself.similarity == pytest.approx(1, abs=1e-5) == hits[0].similarity


@pytest.fixture
def in_folders(tmp_path: Path, build_index, draw):
    """Folder names that a naive prefix comparison would mix up."""
    names = ["0.png", "a-/x.png", "a.png", "a/b/1.png", "a/b/2.png", "a/c.png", "a0/x.png", "ab/x.png", "é/ü/1.png"]
    for number, name in enumerate(names):
        (tmp_path / "g" / name).parent.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(draw(number, 64, 48)).save(tmp_path / "g" / name)
    return open_gallery(build_index(tmp_path / "g"))


def test_folders(in_folders, gallery: Path, build_index):
    assert in_folders.folders() == ["a", "a-", "a/b", "a0", "ab", "é", "é/ü"]
    assert open_gallery(build_index(gallery)).folders() == ["below"]


@pytest.mark.parametrize("ranking", RANKINGS)
@pytest.mark.parametrize(
    ("folder", "images"),
    [
        ("a", ["a/b/1.png", "a/b/2.png", "a/c.png"]),
        ("a/b", ["a/b/1.png", "a/b/2.png"]),
        ("ab", ["ab/x.png"]),
        ("é", ["é/ü/1.png"]),
    ],
)
def test_only_images_below_a_folder_are_found(in_folders, draw, tiny_embedder, ranking, folder, images):
    part = in_folders.below(folder)
    query = tiny_embedder.query(draw(7, 64, 48), Box(3, 3, 50, 40), in_folders.whitening)  # of ab/x.png
    hits = search(query, part, ranking, 0)
    assert sorted(hit.image for hit in hits) == images
    assert part.image_count == len(images)
    assert part.region_count == sum(len(in_folders.regions(image)) for image in images)
    similarities = {hit.image: hit.similarity for hit in search(query, in_folders, ranking, 0)}
    for hit in hits:
        assert hit.similarity == pytest.approx(similarities[hit.image], abs=1e-5)
        assert hit.region.kind == "verified" or hit.region in in_folders.regions(hit.image)
        if ranking == "fast":
            # calibrated for the folder, not the whole gallery
            expected = part.background.expected(hit.similarity, len(images))
            assert hit.evidence["rarity"] == rarity(hit.similarity, expected)


def test_the_whole_gallery_and_a_folder_without_pictures(in_folders):
    assert in_folders.below("") == in_folders == in_folders.below("a").below("")
    assert in_folders.below("a").below("ab") == in_folders.below("ab")  # folders are those of the whole gallery
    for folder in ("b", "a/b/1.png", "A", "a/"):
        with pytest.raises(GalleryProblem, match=f"no pictures below the folder {folder}"):
            in_folders.below(folder)


def test_numbers_of_ids(in_folders):
    for number, name in enumerate(in_folders.tables.ids):
        assert in_folders.number(name) == number and in_folders.name(number) == name
        assert [in_folders.region(row) for row in in_folders.rows_of(number)] == in_folders.regions(name)
    assert in_folders.numbers(["a/c.png", "gone.png", "0.png"]) == [in_folders.number("a/c.png"), 0]
