"""Generations are listed whatever their state; rollback to a damaged one is refused."""

import shutil
from pathlib import Path

import pytest
from PIL import Image as Pillow

from index.building.jobs import building
from index.gallery import open_gallery
from index.operations.history import roll_back, stored_generations
from index.storage.generation import current_folder, generations, served_name
from index.storage.manifest import read_manifest
from retrieval.errors import BuildRunning, IndexProblem


@pytest.fixture
def two(gallery: Path, build_index, draw) -> list[Path]:
    """Two generations, the second with one more image."""
    first = build_index(gallery)
    Pillow.fromarray(draw(40)).save(gallery / "new.png")
    return [first, build_index(gallery)]


def damage(generation: Path, name: str = "keypoints/0000.bin") -> None:
    """Damage a file without changing its size."""
    data = bytearray((generation / name).read_bytes())
    data[len(data) // 2] ^= 1
    (generation / name).unlink()  # unlink first: the next generation may share the file
    (generation / name).write_bytes(data)


def test_stored_generations(two):
    first, second = stored_generations(two[0].parent)
    assert (first.name, first.served, first.images, first.problem) == (two[0].name, False, 8, "")
    assert (second.name, second.served, second.images, second.problem) == (two[1].name, True, 9, "")
    manifest = read_manifest(two[1])
    assert (second.created, second.regions) == (manifest.created, manifest.counts.regions)
    assert second.bytes == sum(facts.bytes for facts in manifest.files.values()) + (
        (two[1] / "manifest.json").stat().st_size
    )


def test_stored_generations_names_the_damage(two):
    damage(two[0])
    (two[1] / "vectors.npy").unlink()
    (two[1] / "whitening.npz").write_bytes(b"")
    quick, thorough = (stored_generations(two[0].parent, thorough) for thorough in (False, True))
    assert quick[1].problem == "vectors.npy is missing; whitening.npz differs from what was written"
    assert (quick[0].problem, thorough[0].problem) == ("", "keypoints/0000.bin differs from what was written")
    (two[1] / "manifest.json").write_bytes(b"{")
    (two[0].parent / "CURRENT").write_bytes(b"?")
    unreadable = stored_generations(two[0].parent)[1]
    assert "no readable manifest" in unreadable.problem and not unreadable.served
    assert (unreadable.created, unreadable.images) == (None, 0) and unreadable.bytes > 0
    assert served_name(two[0].parent) == ""


def test_a_generation_may_be_deleted_while_it_is_listed(two, monkeypatch: pytest.MonkeyPatch):
    stat = Path.stat

    def last_look(path: Path, **how: bool):
        seen = stat(path, **how)
        if path.is_relative_to(two[0]) and path.suffix:
            shutil.rmtree(two[0])
        return seen

    monkeypatch.setattr(Path, "stat", last_look)
    first, second = stored_generations(two[0].parent)
    assert "no readable manifest" in first.problem and not second.problem


def test_stored_generations_without_an_index(tmp_path: Path):
    with pytest.raises(IndexProblem, match="no index in"):
        stored_generations(tmp_path / "gone")
    (tmp_path / "CURRENT").write_text("gen-000001-0000")
    with pytest.raises(IndexProblem, match="no readable manifest"):
        stored_generations(tmp_path)


def test_roll_back_and_forward(two, gallery: Path, build_index):
    index = two[0].parent
    assert roll_back(index) == two[0] == current_folder(index)
    assert len(open_gallery(current_folder(index)).tables.ids) == 8
    assert roll_back(index, two[1].name) == two[1] == current_folder(index)
    assert roll_back(index, two[1].name) == two[1] == current_folder(index)
    roll_back(index)
    third = build_index(gallery)
    assert current_folder(index) == third and generations(index) == [two[0], third]
    assert open_gallery(third).tables.ids == sorted([*open_gallery(two[0]).tables.ids, "new.png"])


def test_roll_back_without_an_earlier_generation_is_refused(gallery: Path, build_index, tmp_path: Path):
    only = build_index(gallery)
    with pytest.raises(IndexProblem, match="no earlier generation"):
        roll_back(only.parent)
    with pytest.raises(IndexProblem, match=rf"no generation 'gen-000009-0000' in .*choose one of {only.name}\."):
        roll_back(only.parent, "gen-000009-0000")
    with pytest.raises(IndexProblem, match="no generation"):
        roll_back(tmp_path / "gone")
    assert current_folder(only.parent) == only and not (tmp_path / "gone").exists()


def test_a_damaged_generation_is_not_served(two):
    damage(two[0])
    with pytest.raises(IndexProblem, match="no earlier intact generation"):
        roll_back(two[0].parent)
    with pytest.raises(IndexProblem, match=rf"{two[0].name} is damaged .*: keypoints/0000\.bin .* Nothing was changed"):
        roll_back(two[0].parent, two[0].name)
    assert current_folder(two[0].parent) == two[1]


@pytest.mark.parametrize("pointer", [b"?", b"", None])
def test_without_current_rollback_serves_the_newest_intact_generation(two, pointer):
    index = two[0].parent
    (index / "CURRENT").unlink()
    if pointer is not None:
        (index / "CURRENT").write_bytes(pointer)
    assert roll_back(index) == two[1]
    (index / "CURRENT").unlink()
    damage(two[1])
    assert roll_back(index) == two[0] == current_folder(index)


def test_roll_back_is_refused_during_a_build(two):
    with building(two[0].parent), pytest.raises(BuildRunning, match="already being built"):
        roll_back(two[0].parent)
    assert current_folder(two[0].parent) == two[1]
