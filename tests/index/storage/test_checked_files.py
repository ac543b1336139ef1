"""Opening reads no large file, an update reads what it copies, and verify reads everything."""

from pathlib import Path

import numpy as np
import pytest

from index.operations.verify import verify
from index.storage import checked_files, publishing
from index.storage.checked_files import blob_faults
from index.storage.generation import open_generation, served_generation
from index.storage.manifest import FileFacts, Manifest, file_faults, read_manifest
from retrieval.errors import IndexProblem


def damage(path: Path) -> None:
    """Change the last byte, which is data."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.fixture
def generation(gallery: Path, build_index) -> Path:
    return build_index(gallery)


def test_r98_a_large_file_is_checked_for_its_size_on_opening(generation: Path, monkeypatch: pytest.MonkeyPatch):
    damage(generation / "vectors.npy")
    with pytest.raises(IndexProblem, match=r"vectors\.npy differs"):
        open_generation(generation)
    monkeypatch.setattr(checked_files, "HASHED_ON_OPENING", 1000)
    assert len(open_generation(generation).vectors)
    with pytest.raises(IndexProblem, match=r"vectors\.npy differs"):
        open_generation(generation, thorough=True)
    with pytest.raises(IndexProblem, match=r"vectors\.npy differs"):
        served_generation(generation.parent, thorough=True)
    assert verify(generation.parent) == ["vectors.npy differs from what was written."]
    (generation / "vectors.npy").write_bytes((generation / "vectors.npy").read_bytes()[:-1])
    with pytest.raises(IndexProblem, match=r"vectors\.npy differs"):
        open_generation(generation)


def test_r98_an_update_does_not_copy_damaged_vectors(generation: Path, gallery: Path, build_index, monkeypatch):
    monkeypatch.setattr(checked_files, "HASHED_ON_OPENING", 1000)
    intact = np.array(open_generation(generation).vectors)
    damage(generation / "vectors.npy")
    repaired = open_generation(build_index(gallery))
    assert repaired.folder != generation and np.array_equal(repaired.vectors, intact)
    assert verify(generation.parent) == []


def test_nothing_large_is_read_again_when_it_is_published(gallery: Path, build_index, monkeypatch):
    measured: list[str] = []
    before = publishing._measured
    monkeypatch.setattr(publishing, "_measured", lambda path: measured.append(path.name) or before(path))
    folder = build_index(gallery)
    assert sorted(measured) == [
        "images.parquet",
        "neighbours.npz",
        "regions.parquet",
        "skipped.parquet",
        "whitening.npz",
    ]
    assert file_faults(folder, read_manifest(folder).files) == {}


def test_r98_blobs_are_hashed_by_turns(tmp_path: Path, generation: Path, monkeypatch: pytest.MonkeyPatch):
    names = [
        f"{kind}/{number:04d}.{ending}"
        for kind, ending in (("keypoints", "bin"), ("thumbs", "jpgs"))
        for number in range(3)
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"damaged")
    wrong = {name: FileFacts(bytes=7, sha256="0") for name in names}
    manifest: Manifest = read_manifest(generation).model_copy(update={"files": wrong})
    assert blob_faults(tmp_path, manifest, 5).keys() == set(names)
    monkeypatch.setattr(checked_files, "HASHED_BY_UPDATE", 20)  # three turns
    found = [blob_faults(tmp_path, manifest, turn).keys() for turn in range(4, 7)]
    assert [len(names) for names in found] == [2, 2, 2] and set().union(*found) == set(names)
    (tmp_path / names[0]).unlink()
    assert all(names[0] in blob_faults(tmp_path, manifest, turn) for turn in range(3))  # sizes are always checked
