import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageOps

from index.gallery import Gallery, open_gallery
from index.groups import duplicates
from index.groups.duplicates import identical, linked, near_identical, near_identical_among
from retrieval.errors import GalleryProblem
from retrieval.types import unit
from tests.conftest import BuildIndex


@pytest.fixture
def twice(gallery: Path, build_index: BuildIndex) -> Gallery:
    """Eight images plus copies: two of one, one of another, one scaled down and compressed, one mirrored."""
    shutil.copy(gallery / "2.png", gallery / "again.png")
    shutil.copy(gallery / "2.png", gallery / "below" / "again.png")
    shutil.copy(gallery / "0.png", gallery / "zero.png")
    picture = Pillow.open(gallery / "5.png")
    picture.resize((picture.width * 2 // 3, picture.height * 2 // 3)).save(gallery / "small.jpg", quality=40)
    ImageOps.mirror(Pillow.open(gallery / "4.png")).save(gallery / "mirrored.png")
    return open_gallery(build_index(gallery))


def test_the_same_file_under_several_names_is_one_group_the_largest_first(twice: Gallery) -> None:
    assert identical(twice.tables) == [["2.png", "again.png", "below/again.png"], ["0.png", "zero.png"]]


def test_a_scaled_and_compressed_copy_is_near_identical(twice: Gallery) -> None:
    assert near_identical(twice) == [["5.png", "small.jpg"]]


def test_a_gallery_without_copies_has_no_groups(gallery: Path, build_index: BuildIndex) -> None:
    opened = open_gallery(build_index(gallery))
    assert identical(opened.tables) == [] and near_identical(opened) == []


def test_near_copies_among_some_images_are_grouped_in_their_order(twice: Gallery) -> None:
    assert near_identical_among(twice, ["small.jpg", "1.png", "5.png", "mirrored.png", "3.png"]) == [
        ["small.jpg", "5.png"]
    ]
    assert near_identical_among(twice, ["zero.png", "again.png", "0.png", "2.png"]) == [
        ["zero.png", "0.png"],
        ["again.png", "2.png"],
    ]
    assert near_identical_among(twice, ["1.png", "3.png"]) == near_identical_among(twice, []) == []


def test_descriptors_must_be_similar_too(twice: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "ALIKE", 1.01)
    assert near_identical(twice) == []


def test_too_many_images_raise_gallery_problem(twice: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "MOST", 9)
    with pytest.raises(GalleryProblem, match="has 10 different pictures"):
        near_identical(twice)
    monkeypatch.setattr(duplicates, "MOST", 10)
    near_identical(twice)


def test_the_descriptor_of_an_image_is_its_first_row(twice: Gallery) -> None:
    tables = twice.tables
    firsts = [tables.rows_of(number)[0] for number in range(len(tables.ids))]
    assert {tables.kinds[row] for row in firsts} == {"whole"}

    class Watched:
        def vectors(self, rows: np.ndarray) -> np.ndarray:
            assert set(rows.tolist()) <= set(firsts) and len(rows) == 10
            return twice.vectors(rows)

    near_identical(replace(twice, store=Watched()))


VECTORS = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 40)).map(
    lambda made: unit(np.random.default_rng(made[0]).normal(size=(made[1], 2, 3)))
)


@given(VECTORS, st.floats(0.2, 1.0), st.floats(-1.0, 1.0), st.integers(1, 9))
def test_links_do_not_depend_on_the_block_size(vectors: np.ndarray, near: float, alike: float, block: int) -> None:
    copies, descriptors = vectors[:, 0], vectors[:, 1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "BLOCK", block)
        found = sorted(group.tolist() for group in linked(copies, near, descriptors, alike))
    assert found == by_hand((copies @ copies.T >= near) & (descriptors @ descriptors.T >= alike))


def by_hand(links: np.ndarray) -> list[list[int]]:
    """Reference implementation: each row merges the groups it is linked to."""
    groups: list[list[int]] = []
    for row in range(len(links)):
        near = [group for group in groups if links[row, group].any()]
        groups = [group for group in groups if group not in near] + [sorted(sum(near, [row]))]
    return sorted(groups)


def test_a_chain_of_pairs_is_one_group() -> None:
    angles = np.deg2rad([0, 20, 40, 60, 200])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    groups = linked(vectors, float(np.cos(np.deg2rad(21))), vectors, -1.0)
    assert [group.tolist() for group in groups] == [[0, 1, 2, 3], [4]]


def test_an_undecodable_thumbnail_matches_nothing(twice: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    Pillow.new("RGB", (320, 6)).save(out, "JPEG")
    monkeypatch.setattr(Gallery, "thumbnail", lambda self, image: out.getvalue())
    assert near_identical(twice) == []
