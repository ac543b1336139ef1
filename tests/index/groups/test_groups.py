"""Group a gallery: members with their matching regions, and ungrouped images."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from index.gallery import Gallery, open_gallery
from index.groups.groups import ODD, gallery_object_instances, group_gallery
from retrieval.errors import IndexProblem
from tests.conftest import BuildIndex, Draw


@pytest.fixture
def opened(tmp_path: Path, draw: Draw, build_index: BuildIndex) -> Gallery:
    """Four images of one object, three of another, and eight unrelated ones."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(8):
        Pillow.fromarray(draw(100 + number)).save(folder / f"other-{number}.png")
    for name, seed, count in (("cup", 1, 4), ("hat", 2, 3)):
        for number in range(count):
            noise = np.random.default_rng(number).integers(-6, 7, draw(seed).shape)
            picture = np.clip(draw(seed).astype(int) + noise, 0, 255).astype(np.uint8)
            Pillow.fromarray(picture).save(folder / f"{name}-{number}.png")
    return open_gallery(build_index(folder))


def test_repeated_objects_form_groups(opened: Gallery) -> None:
    grouped = group_gallery(opened, gallery_object_instances(opened), 0.3)
    sets = [{member.image.partition("-")[0] for member in group.members} for group in grouped.groups]
    assert {"cup"} in sets and {"hat"} in sets
    for group in grouped.groups:
        images = [member.image for member in group.members]
        assert len(set(images)) == len(images) >= 3
        likenesses = [member.likeness for member in group.members]
        assert likenesses == sorted(likenesses, reverse=True) and group.best == group.members[0]
        assert [member.odd for member in group.members] == [
            likeness < ODD * np.median(np.float32(likenesses)) for likeness in likenesses
        ]
        assert all(member.region in opened.regions(member.image) for member in group.members)
    inside = {member.image for group in grouped.groups for member in group.members}
    assert sorted([*inside, *grouped.alone]) == opened.tables.ids
    assert [len(group.members) for group in grouped.groups] == sorted(
        (len(group.members) for group in grouped.groups), reverse=True
    )


def test_the_same_gallery_has_the_same_groups(opened: Gallery) -> None:
    assert group_gallery(opened, gallery_object_instances(opened)) == group_gallery(
        opened, gallery_object_instances(opened)
    )


def test_a_deleted_generation_raises_index_problem(opened: Gallery) -> None:
    shutil.rmtree(opened.folder)
    with pytest.raises(IndexProblem, match="reload this page"):
        gallery_object_instances(opened)
