"""Group a gallery: members with their matching regions, and ungrouped images."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from index.gallery import Gallery, open_gallery
from index.groups.corrections import GroupCorrection, Place
from index.groups.groups import ODD, Grouped, gallery_object_instances, group_gallery
from retrieval.errors import IndexProblem
from retrieval.types import Box
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


def places(grouped: Grouped, start: str) -> tuple[Place, ...]:
    """The members of the only group with pictures of this name."""
    (group,) = [group for group in grouped.groups if group.best.image.startswith(start)]
    return tuple(member.place for member in group.members)


def members(grouped: Grouped, image: str) -> list[set[str]]:
    """The groups of an image, as sets of image ids."""
    sets = [{member.image for member in group.members} for group in grouped.groups]
    return [group for group in sets if image in group]


def corrected(gallery: Gallery, *corrections: GroupCorrection) -> Grouped:
    return group_gallery(gallery, gallery_object_instances(gallery), 0.3, corrections)


def test_merged_groups_are_one_and_other_groups_stay(opened: Gallery) -> None:
    before = corrected(opened)
    grouped = corrected(opened, GroupCorrection(places(before, "cup") + places(before, "hat")))
    (merged,) = members(grouped, "cup-0.png")
    assert merged == {*(f"cup-{n}.png" for n in range(4)), *(f"hat-{n}.png" for n in range(3))}
    assert members(grouped, "hat-1.png") == [merged]


def test_a_picture_taken_out_leaves_the_others_even_if_they_are_two(opened: Gallery) -> None:
    hats = places(corrected(opened), "hat")
    grouped = corrected(opened, GroupCorrection((), hats[:1], hats[1:]))
    gone = opened.tables.with_contents(hats[0].sha256)
    assert gone is not None and not members(grouped, gone) and gone in grouped.alone
    assert [len(group) for start in range(3) for group in members(grouped, f"hat-{start}.png")] == [2, 2]
    assert places(grouped, "cup") == places(corrected(opened), "cup")


def test_a_moved_picture_is_in_the_other_group_only_and_is_no_outlier(opened: Gallery) -> None:
    before = corrected(opened)
    cups, hats = places(before, "cup"), places(before, "hat")
    grouped = corrected(opened, GroupCorrection((*hats, cups[0]), cups[:1], cups[1:]))
    moved = opened.tables.with_contents(cups[0].sha256)
    assert moved is not None
    (group,) = members(grouped, moved)
    assert group == {"hat-0.png", "hat-1.png", "hat-2.png", moved}
    assert not any(member.odd for found in grouped.groups for member in found.members if member.image == moved)


def test_an_ungrouped_picture_can_be_moved_and_pictures_can_start_a_group(opened: Gallery) -> None:
    before = corrected(opened)
    cups = places(before, "cup")
    one, other = [Place(opened.entry(image).sha256, Box(0, 0, 9999, 9999)) for image in before.alone[:2]]
    grouped = corrected(opened, GroupCorrection((*cups, one), (one,)))
    assert before.alone[0] in members(grouped, "cup-0.png")[0] and grouped.alone == before.alone[1:]
    assert members(corrected(opened, GroupCorrection((one, other))), before.alone[0]) == [set(before.alone[:2])]


def test_a_contradicted_correction_is_named(opened: Gallery) -> None:
    hats = places(corrected(opened), "hat")
    merge, out = GroupCorrection(hats), GroupCorrection((), hats[:1], hats[1:])
    assert corrected(opened, merge, out).contradicted == {0} and not corrected(opened, out).contradicted
    assert corrected(opened, out, merge).groups == corrected(opened).groups


def test_corrections_survive_renamed_folders_and_a_rebuild(opened: Gallery, build_index: BuildIndex) -> None:
    before = corrected(opened)
    cups, hats = places(before, "cup"), places(before, "hat")
    made = [GroupCorrection(cups[1:] + hats), GroupCorrection((), cups[:1], cups[1:] + hats)]
    folder = Path(opened.manifest.gallery)
    (folder / "renamed").mkdir()
    for file in list(folder.glob("*.png")):
        file.rename(folder / "renamed" / f"x-{file.name}")
    rebuilt = open_gallery(build_index(folder, full=True))
    old = {frozenset(f"renamed/x-{m.image}" for m in group.members) for group in corrected(opened, *made).groups}
    assert old == {frozenset(m.image for m in group.members) for group in corrected(rebuilt, *made).groups}
    assert {len(group) for group in old} >= {6}


def test_copies_of_a_picture_are_corrected_together_and_deleted_pictures_are_left_out(
    opened: Gallery, build_index: BuildIndex
) -> None:
    hats = places(corrected(opened), "hat")
    out = GroupCorrection((), hats[:1], hats[1:])
    folder, gone = Path(opened.manifest.gallery), opened.tables.with_contents(hats[0].sha256)
    assert gone is not None
    shutil.copy(folder / gone, folder / "copy.png")
    grouped = corrected(open_gallery(build_index(folder)), out)
    assert not any({gone, "copy.png"} & group for group in members(grouped, "hat-1.png"))
    (folder / "copy.png").unlink()
    (folder / gone).unlink()
    assert corrected(open_gallery(build_index(folder)), out, GroupCorrection(hats[:1])).groups
