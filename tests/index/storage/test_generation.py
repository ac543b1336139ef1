"""A generation is published atomically, and damage is rejected with a sentence that names the file."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from index.building.build import build
from index.building.thread_executor import ThreadExecutor
from index.operations.verify import verify
from index.storage.generation import current_folder, open_generation
from index.storage.manifest import BLOB_FOLDERS, FORMAT, read_manifest
from index.storage.publishing import scratch_folder
from index.storage.skipped_files import read_skipped
from retrieval.errors import IndexProblem
from retrieval.networks.weights import file_sha256
from retrieval.ranking.confidence import fit_background_scores
from retrieval.ranking.diffusion import find_neighbours
from retrieval.types import unit

FILES = [
    "vectors.npy",
    "classes.npy",
    "shares.npy",
    "regions.parquet",
    "images.parquet",
    "skipped.parquet",
    "whitening.npz",
    "neighbours.npz",
    "thumbs/0000.jpgs",
    "keypoints/0000.bin",
    "manifest.json",
]


@pytest.fixture(scope="module")
def built_once(tmp_path_factory: pytest.TempPathFactory, draw, tiny_embedder, pool) -> Path:
    """A generation of eight images and one unusable file."""
    folder = tmp_path_factory.mktemp("once")
    (folder / "gallery").mkdir()
    (folder / "gallery" / "empty.jpg").touch()
    for number in range(8):
        Pillow.fromarray(draw(number, 64, 48)).save(folder / "gallery" / f"{number}.png")
    return build(folder / "gallery", folder / "index", ThreadExecutor(tiny_embedder, pool), lambda *_: None)


@pytest.fixture
def generation(built_once: Path, tmp_path: Path) -> Path:
    """A copy to damage, served from tmp_path/index."""
    shutil.copytree(built_once.parent, tmp_path / "index")
    return tmp_path / "index" / built_once.name


def refused(folder: Path, *words: str) -> None:
    with pytest.raises(IndexProblem) as caught:
        open_generation(folder)
    sentence = str(caught.value)
    assert all(word in sentence for word in words), sentence
    assert "\n" not in sentence and sentence.endswith(".") and "Rebuild it" in sentence


def swap(generation: Path, name: str, content: bytes) -> None:
    """Replace a file and its hash in the manifest, so that only the content checks can catch it."""
    (generation / name).write_bytes(content)
    manifest = json.loads((generation / "manifest.json").read_bytes())
    manifest["files"][name] = {"bytes": len(content), "sha256": file_sha256(generation / name)}
    (generation / "manifest.json").write_text(json.dumps(manifest))


def as_npy(array: np.ndarray, pickled: bool = False) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=pickled)
    return out.getvalue()


def test_a_published_generation_opens(generation: Path, built_once: Path, tiny_embedder):
    opened = open_generation(current_folder(generation.parent))
    assert opened.folder == generation
    assert sorted(opened.manifest.files) == sorted(set(FILES) - {"manifest.json"})
    assert sorted(p.relative_to(generation).as_posix() for p in generation.rglob("*") if p.is_file()) == sorted(FILES)
    counts = opened.manifest.counts
    assert (counts.images, counts.regions, counts.skipped) == (8, len(opened.vectors), 1)
    assert opened.manifest.recipe == tiny_embedder.recipe
    assert opened.manifest.gallery == str(built_once.parents[1] / "gallery")
    assert [s.reason for s in read_skipped(generation)] == ["empty"]
    assert len(opened.tables.image_of_row) == len(opened.vectors)
    assert opened.whitening.apply(np.ones(16, np.float32)).shape == opened.vectors.shape[1:]


@pytest.mark.parametrize("name", [name for name in FILES if name != "manifest.json"])
def test_a_flipped_byte_is_detected(generation: Path, name):
    data = bytearray((generation / name).read_bytes())
    for place in (0, len(data) // 2, len(data) - 1):
        flipped = data.copy()
        flipped[place] ^= 0x10
        (generation / name).write_bytes(flipped)
        if not name.startswith(BLOB_FOLDERS):
            refused(generation, name, generation.name)
        assert any(name in fault for fault in verify(generation.parent))


@pytest.mark.parametrize("name", [name for name in FILES if name != "manifest.json"])
def test_a_truncated_extended_or_missing_file_is_detected(generation: Path, name):
    data = (generation / name).read_bytes()
    for damage in (data[: len(data) // 2], data + b"x", b"", None):
        if damage is None:
            (generation / name).unlink()
        else:
            (generation / name).write_bytes(damage)
        if not name.startswith(BLOB_FOLDERS):
            refused(generation, name)
        assert any(name in fault for fault in verify(generation.parent))


@pytest.mark.parametrize(
    "content", [None, b"", b"{}", b"not json", b'{"format": 4}', b'{"format": "?"}', b"[2]", b"\xff\xfe"]
)
def test_an_empty_or_damaged_manifest_is_refused(generation: Path, content):
    (generation / "manifest.json").unlink()
    if content is not None:
        (generation / "manifest.json").write_bytes(content)
    refused(generation, "no readable manifest")


def test_a_manifest_of_a_newer_program(generation: Path):
    manifest = json.loads((generation / "manifest.json").read_bytes())
    (generation / "manifest.json").write_text(json.dumps({**manifest, "format": FORMAT + 1}))
    refused(generation, f"format {FORMAT + 1}", f"reads format {FORMAT}")


def test_a_manifest_of_an_older_program(generation: Path):
    """Format 1 had no background scores, and fewer recipe fields."""
    manifest = json.loads((generation / "manifest.json").read_bytes())
    del manifest["background"]
    for name in ("query_views", "dedup_similarity", "mid_layer_weight"):
        del manifest["recipe"][name]
    (generation / "manifest.json").write_text(json.dumps({**manifest, "format": 1}))
    refused(generation, "format 1", f"reads format {FORMAT}")


def test_a_format_4_manifest_is_upgraded(generation: Path):
    now = read_manifest(generation)
    manifest = json.loads((generation / "manifest.json").read_bytes())
    recipe = manifest["recipe"]
    for old, new in (("fine", "mid_layer_weight"), ("distinct", "dedup_similarity"), ("finders", "detectors")):
        recipe[old] = recipe.pop(new)
    del recipe["keypoints"]
    manifest["null"] = manifest.pop("background")
    (generation / "manifest.json").write_text(json.dumps({**manifest, "format": 4}))
    unknown = replace(now.recipe, keypoints=None)
    assert read_manifest(generation) == now.model_copy(update={"recipe": unknown})
    open_generation(generation)


@pytest.mark.parametrize("damage", [{"recipe": None}, {"recipe": []}, {"recipe": {}}, {"null": None}])
def test_a_damaged_manifest_of_format_4(generation: Path, damage):
    manifest = json.loads((generation / "manifest.json").read_bytes())
    (generation / "manifest.json").write_text(json.dumps({**manifest, "format": 4} | damage))
    refused(generation, "no readable manifest")


def test_pickled_vectors_are_never_loaded(generation: Path):
    class Trap:
        def __reduce__(self) -> tuple:
            return pytest.fail, ("it was unpickled",)

    swap(generation, "vectors.npy", as_npy(np.array([Trap()], dtype=object), pickled=True))
    refused(generation, "damaged")


def test_tables_of_different_lengths(generation: Path):
    vectors = np.load(generation / "vectors.npy")
    for other in (vectors[:-1], np.concatenate([vectors, vectors[:1]])):
        swap(generation, "vectors.npy", as_npy(other))
        refused(generation, "vectors.npy does not match the manifest")


def test_vectors_of_another_shape(generation: Path):
    vectors = np.load(generation / "vectors.npy")
    for other in (vectors[:, :-1], vectors[:, 0], vectors.astype(np.float64), vectors[:, :, None]):
        swap(generation, "vectors.npy", as_npy(other))
        refused(generation, "vectors.npy")


@pytest.mark.parametrize(
    "pointer",
    [b"", b"gen-", b"../gen-1", b"/etc", b"gen-1/../../x", b"\xff\xfe\x00", b"gen-000001-0000\nmore", b"gen-\x00"],
)
def test_a_damaged_current_is_refused(generation: Path, pointer):
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


def test_the_last_two_generations_are_kept_and_the_newest_is_served(gallery: Path, build_index):
    built = [build_index(gallery, full=True) for _ in range(4)]
    index_dir = built[0].parent
    assert [folder.exists() for folder in built] == [False, False, True, True]
    assert current_folder(index_dir) == built[3]
    assert [folder.name[:11] for folder in built] == [f"gen-00000{n}-" for n in range(1, 5)]
    assert not list(index_dir.glob("tmp-*")) and not list(index_dir.glob("*.tmp"))
    assert not (index_dir / "journal.sqlite").exists()


def test_a_later_build_has_the_greater_number_even_after_damage(gallery: Path, build_index):
    first = build_index(gallery)
    (first.parent / "CURRENT").unlink()
    (first.parent / "gen-notes").mkdir()
    assert build_index(gallery).name.startswith("gen-000002-")


def test_leftovers_of_a_killed_build_are_removed(generation: Path, gallery: Path, build_index):
    left = generation.parent / "tmp-4242-dead"
    shutil.copytree(generation, left)
    assert build_index(gallery) and not left.exists()


def test_the_scratch_folder_is_removed_when_the_build_fails(tmp_path: Path):
    with pytest.raises(RuntimeError), scratch_folder(tmp_path) as folder:
        (folder / "thumbs" / "0000.jpgs").touch()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_stored_vectors_have_unit_length(generation: Path):
    vectors = np.load(generation / "vectors.npy")
    assert vectors.dtype == np.float32 and vectors == pytest.approx(unit(vectors), abs=1e-5)
    assert read_manifest(generation).note == ""


def test_neighbours_and_background_scores_survive_a_round_trip(generation: Path):
    opened = open_generation(generation)
    images = opened.tables.image_of_row
    found = find_neighbours(opened.vectors, images)
    for name in ("nodes", "nearest", "similarities"):
        assert np.array_equal(getattr(opened.neighbours, name), getattr(found, name))
    assert opened.neighbours.nearest.shape == (len(images), 7)
    assert opened.manifest.background == fit_background_scores(opened.vectors, images)


def test_empty_neighbours_survive_a_round_trip(tmp_path: Path, gallery: Path, build_index):
    for image in list(gallery.rglob("*.png"))[1:]:
        image.unlink()
    opened = open_generation(build_index(gallery))
    assert opened.neighbours.nearest.shape == (len(opened.vectors), 0)


def as_npz(**arrays: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def without(name: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {key: array for key, array in arrays.items() if key != name}


NONSENSE = {
    "a node too large": lambda a: {**a, "nodes": a["nodes"] + 1},
    "a node below nothing": lambda a: {**a, "nodes": a["nodes"] - 1},
    "a node twice": lambda a: {**a, "nodes": np.maximum(a["nodes"], 1)},
    "nodes out of order": lambda a: {**a, "nodes": a["nodes"][::-1]},
    "nodes with fractions": lambda a: {**a, "nodes": a["nodes"].astype(np.float64)},
    "nodes in two dimensions": lambda a: {**a, "nodes": a["nodes"][:, None]},
    "fewer nodes": lambda a: {**a, "nodes": a["nodes"][:-1]},
    "a neighbour too large": lambda a: {**a, "nearest": np.where(a["nearest"] == 0, len(a["nodes"]), a["nearest"])},
    "a neighbour below nothing": lambda a: {**a, "nearest": a["nearest"] - 1},
    "a neighbour far away": lambda a: {**a, "nearest": np.where(a["nearest"] == 0, 2**30, a["nearest"])},
    "neighbours in one dimension": lambda a: {**a, "nearest": a["nearest"][:, 0]},
    "fewer neighbours": lambda a: {**a, "nearest": a["nearest"][:, 1:]},
    "neighbours of fewer": lambda a: {**a, "nearest": a["nearest"][1:], "similarities": a["similarities"][1:]},
    "fewer similarities": lambda a: {**a, "similarities": a["similarities"][1:]},
    "a similarity that is no number": lambda a: {**a, "similarities": a["similarities"] * np.float32(np.nan)},
    "similarities above one": lambda a: {**a, "similarities": a["similarities"] + np.float32(2)},
    "similarities that are text": lambda a: {**a, "similarities": a["similarities"].astype("U8")},
    "similarities in doubles": lambda a: {**a, "similarities": a["similarities"].astype(np.float64)},
    "no similarities": lambda a: without("similarities", a),
    "no nodes": lambda a: without("nodes", a),
}


@pytest.mark.parametrize("change", NONSENSE.values(), ids=NONSENSE.keys())
def test_invalid_neighbours_are_refused(generation: Path, change):
    """With a matching hash the array checks must catch it: a wrong row number reads foreign memory."""
    with np.load(generation / "neighbours.npz") as arrays:
        swap(generation, "neighbours.npz", as_npz(**change(dict(arrays))))
    refused(generation, "damaged", generation.name)


@pytest.mark.parametrize("name", ["neighbours.npz", "whitening.npz", "vectors.npy"])
def test_truncated_or_invalid_arrays_are_refused(generation: Path, name):
    data = (generation / name).read_bytes()
    for damage in (data[: len(data) // 2], data[:5], b"", b"no arrays"):
        swap(generation, name, damage)
        refused(generation, "damaged", generation.name)


def test_a_file_that_cannot_be_read_is_not_called_damaged(generation: Path, monkeypatch: pytest.MonkeyPatch):
    def failing(*_: object, **__: object) -> dict[str, str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("index.storage.checked_files.file_faults", failing)
    with pytest.raises(PermissionError):
        open_generation(generation)
