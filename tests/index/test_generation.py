"""A generation is served whole or not at all, and what is damaged is refused in a sentence that names it."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from index.generation import current_folder, open_generation, read_manifest, read_skipped, scratch_folder
from index.verify import verify
from retrieval.errors import IndexProblem
from retrieval.types import unit
from retrieval.weights import file_sha256

FILES = [
    "vectors.npy",
    "regions.parquet",
    "images.parquet",
    "skipped.parquet",
    "whitening.npz",
    "thumbs/0000.jpgs",
    "manifest.json",
]


@pytest.fixture
def generation(gallery: Path, build_index) -> Path:
    (gallery / "empty.jpg").touch()
    return build_index(gallery)


def refused(folder: Path, *words: str) -> None:
    with pytest.raises(IndexProblem) as caught:
        open_generation(folder)
    sentence = str(caught.value)
    assert all(word in sentence for word in words), sentence
    assert "\n" not in sentence and sentence.endswith(".") and "Build it again" in sentence


def swap(generation: Path, name: str, content: bytes) -> None:
    """Other content with a manifest that vouches for it: what the tables themselves must catch."""
    (generation / name).write_bytes(content)
    manifest = json.loads((generation / "manifest.json").read_bytes())
    manifest["files"][name] = {"bytes": len(content), "sha256": file_sha256(generation / name)}
    (generation / "manifest.json").write_text(json.dumps(manifest))


def as_npy(array: np.ndarray, pickled: bool = False) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=pickled)
    return out.getvalue()


def test_what_was_published_opens(generation: Path, gallery: Path, tiny_embedder):
    opened = open_generation(current_folder(generation.parent))
    assert opened.folder == generation
    assert sorted(opened.manifest.files) == sorted(set(FILES) - {"manifest.json"})
    assert sorted(p.relative_to(generation).as_posix() for p in generation.rglob("*") if p.is_file()) == sorted(FILES)
    counts = opened.manifest.counts
    assert (counts.images, counts.regions, counts.skipped) == (8, len(opened.vectors), 1)
    assert opened.manifest.recipe == tiny_embedder.recipe
    assert opened.manifest.gallery == str(gallery)
    assert [s.reason for s in read_skipped(generation)] == ["empty"]
    assert len(opened.catalogue.image_of_row) == len(opened.vectors)
    assert opened.whitening.apply(np.ones(16, np.float32)).shape == opened.vectors.shape[1:]


@pytest.mark.parametrize("name", [name for name in FILES if name != "manifest.json"])
def test_a_flipped_byte(generation: Path, name):
    data = bytearray((generation / name).read_bytes())
    for place in (0, len(data) // 2, len(data) - 1):
        flipped = data.copy()
        flipped[place] ^= 0x10
        (generation / name).write_bytes(flipped)
        if not name.startswith("thumbs/"):
            refused(generation, name, generation.name)
        assert any(name in fault for fault in verify(generation.parent))


@pytest.mark.parametrize("name", [name for name in FILES if name != "manifest.json"])
def test_a_file_that_is_cut_longer_or_gone(generation: Path, name):
    data = (generation / name).read_bytes()
    for damage in (data[: len(data) // 2], data + b"x", b"", None):
        if damage is None:
            (generation / name).unlink()
        else:
            (generation / name).write_bytes(damage)
        if not name.startswith("thumbs/"):
            refused(generation, name)
        assert any(name in fault for fault in verify(generation.parent))


@pytest.mark.parametrize("content", [None, b"", b"{}", b"not json", b'{"format": 1}', b"\xff\xfe"])
def test_a_manifest_that_says_nothing(generation: Path, content):
    (generation / "manifest.json").unlink()
    if content is not None:
        (generation / "manifest.json").write_bytes(content)
    refused(generation, "no readable manifest")


def test_a_manifest_of_a_newer_program(generation: Path):
    manifest = json.loads((generation / "manifest.json").read_bytes())
    (generation / "manifest.json").write_text(json.dumps({**manifest, "format": 2}))
    refused(generation, "format 2", "reads 1")


def test_vectors_that_are_code_are_never_run(generation: Path):
    class Trap:
        def __reduce__(self) -> tuple:
            return pytest.fail, ("it was unpickled",)

    swap(generation, "vectors.npy", as_npy(np.array([Trap()], dtype=object), pickled=True))
    refused(generation, "damaged")


def test_tables_of_different_lengths(generation: Path):
    vectors = np.load(generation / "vectors.npy")
    for other in (vectors[:-1], np.concatenate([vectors, vectors[:1]])):
        swap(generation, "vectors.npy", as_npy(other))
        refused(generation, "different lengths")


def test_vectors_of_another_shape(generation: Path):
    vectors = np.load(generation / "vectors.npy")
    for other in (vectors[:, :-1], vectors[:, 0], vectors.astype(np.float64), vectors[:, :, None]):
        swap(generation, "vectors.npy", as_npy(other))
        refused(generation, "vectors.npy")


@pytest.mark.parametrize(
    "pointer",
    [b"", b"gen-", b"../gen-1", b"/etc", b"gen-1/../../x", b"\xff\xfe\x00", b"gen-000001-0000\nmore", b"gen-\x00"],
)
def test_a_damaged_current(generation: Path, pointer):
    (generation.parent / "CURRENT").write_bytes(pointer)
    with pytest.raises(IndexProblem) as caught:
        open_generation(current_folder(generation.parent))
    assert "\n" not in str(caught.value)


def test_no_index_yet(tmp_path: Path):
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(IndexProblem, match=r"no index in .* yet"):
            current_folder(folder)
    (tmp_path / "file").touch()
    with pytest.raises(IndexProblem, match="cannot be read"):
        current_folder(tmp_path / "file")


def test_the_last_two_are_kept_and_the_newest_is_served(gallery: Path, build_index):
    built = [build_index(gallery) for _ in range(4)]
    index_dir = built[0].parent
    assert [folder.exists() for folder in built] == [False, False, True, True]
    assert current_folder(index_dir) == built[3]
    assert [folder.name[:11] for folder in built] == [f"gen-00000{n}-" for n in range(1, 5)]
    assert not list(index_dir.glob("tmp-*")) and not list(index_dir.glob("*.tmp"))


def test_a_later_build_has_the_greater_number_even_after_damage(gallery: Path, build_index):
    first = build_index(gallery)
    (first.parent / "CURRENT").unlink()
    (first.parent / "gen-notes").mkdir()
    assert build_index(gallery).name.startswith("gen-000002-")


def test_what_a_killed_build_left_is_removed(generation: Path, gallery: Path, build_index):
    left = generation.parent / "tmp-4242-dead"
    shutil.copytree(generation, left)
    assert build_index(gallery) and not left.exists()


def test_a_scratch_folder_goes_away_when_the_build_fails(tmp_path: Path):
    with pytest.raises(RuntimeError), scratch_folder(tmp_path) as folder:
        (folder / "thumbs" / "0000.jpgs").touch()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_is_a_promise_about_unit_vectors(generation: Path):
    vectors = np.load(generation / "vectors.npy")
    assert vectors.dtype == np.float32 and vectors == pytest.approx(unit(vectors), abs=1e-5)
    assert read_manifest(generation).note == ""
