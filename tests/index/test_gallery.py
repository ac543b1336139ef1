"""What was indexed is found again."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from index.gallery import open_gallery
from retrieval.errors import IndexProblem, UnknownName
from retrieval.images import load_image
from retrieval.search import search
from retrieval.types import Box


@pytest.mark.parametrize("pooling", ["gap", "gem", "mac"])
def test_every_picture_finds_itself_first(gallery: Path, build_index, make_embedder, pooling):
    embedder = make_embedder(pooling=pooling)
    built = open_gallery(build_index(gallery, embedder=embedder))
    for image in built.catalogue.ids:
        picture = load_image(built.file(image))
        hits = search(embedder.query(picture, Box.whole(picture), built.whitening), built, top=0)
        assert hits[0].image == image
        assert hits[0].score == pytest.approx(1, abs=1e-4)
        assert (hits[0].region.kind, hits[0].region.box) == ("whole", Box.whole(picture))
        assert sorted(hit.image for hit in hits) == built.catalogue.ids
        assert all(a.score >= b.score for a, b in itertools.pairwise(hits))


def test_a_region_of_a_picture_finds_the_picture_and_the_region(gallery: Path, build_index, tiny_embedder):
    built = open_gallery(build_index(gallery))
    picture = load_image(built.file("3.png"))
    row = built.catalogue.rows_of(built.catalogue.numbers["3.png"])[3]
    hits = search(np.load(built.folder / "vectors.npy")[row], built, top=3)
    assert (hits[0].image, hits[0].region) == ("3.png", built.regions("3.png")[3])
    assert tiny_embedder.regions(picture)[0] == built.regions("3.png")


def test_a_reopened_index_answers_the_same(gallery: Path, build_index, tiny_embedder):
    folder = build_index(gallery)
    picture = load_image(gallery / "1.png")
    query = tiny_embedder.query(picture, Box(10, 10, 70, 60), open_gallery(folder).whitening)
    assert search(query, open_gallery(folder), top=5) == search(query, open_gallery(folder), top=5)


def test_an_image_knows_its_facts(gallery: Path, build_index):
    built = open_gallery(build_index(gallery))
    entry = built.entry("below/6.png")
    assert (entry.width, entry.height) == (128, 96)
    assert built.file("below/6.png") == gallery / "below" / "6.png"
    assert built.region_count == sum(len(built.regions(image)) for image in built.catalogue.ids)


def test_a_generation_that_is_gone_still_answers_but_shows_no_pictures(gallery: Path, build_index, tiny_embedder):
    old = open_gallery(build_index(gallery))
    build_index(gallery)
    assert old.thumbnail("1.png")[:2] == b"\xff\xd8"
    build_index(gallery)
    picture = load_image(gallery / "1.png")
    assert search(tiny_embedder.query(picture, Box.whole(picture), old.whitening), old)[0].image == "1.png"
    with pytest.raises(IndexProblem, match="rebuilt since"):
        old.thumbnail("1.png")


def test_unknown_names(gallery: Path, build_index):
    folder = build_index(gallery)
    with pytest.raises(IndexProblem, match=r"no picture 'gone\.png'"):
        open_gallery(folder).entry("gone.png")
    with pytest.raises(UnknownName, match="there are: flat"):
        open_gallery(folder, "round")
