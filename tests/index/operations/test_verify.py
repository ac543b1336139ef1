"""`verify` reports every fault, and none for an intact index."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from index.building.jobs import building
from index.operations.verify import remarks, verify, verify_generation
from index.storage.generation import current_folder
from retrieval.errors import IndexProblem
from retrieval.networks.weights import file_sha256


def store_vectors(generation: Path, vectors: np.ndarray) -> None:
    """Write vectors with a matching manifest hash, to simulate a bug rather than disk damage."""
    np.save(generation / "vectors.npy", vectors)
    vouch(generation, "vectors.npy")


def vouch(generation: Path, name: str) -> None:
    manifest = json.loads((generation / "manifest.json").read_bytes())
    path = generation / name
    manifest["files"][name] = {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
    (generation / "manifest.json").write_text(json.dumps(manifest))


def test_an_intact_index_has_no_faults(gallery: Path, build_index):
    assert verify(build_index(gallery).parent) == []


def test_vectors_that_are_not_of_length_1(gallery: Path, build_index):
    generation = build_index(gallery)
    vectors = np.load(generation / "vectors.npy")
    vectors[3] *= 1.01
    vectors[7] = 0
    store_vectors(generation, vectors)
    assert verify(generation.parent) == ["Vectors that do not have length 1: 2."]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vectors_that_are_not_numbers(gallery: Path, build_index, value):
    generation = build_index(gallery)
    vectors = np.load(generation / "vectors.npy")
    vectors[2, 1] = value
    store_vectors(generation, vectors)
    assert verify(generation.parent) == ["Some vectors contain NaN or infinite values."]


def test_a_flipped_byte_of_a_thumbnail_is_reported(gallery: Path, build_index):
    generation = build_index(gallery)
    thumbs = generation / "thumbs" / "0000.jpgs"
    data = bytearray(thumbs.read_bytes())
    data[len(data) // 2] ^= 1
    thumbs.write_bytes(data)
    assert verify(generation.parent) == ["thumbs/0000.jpgs differs from what was written."]


def test_every_damaged_file_is_named(gallery: Path, build_index):
    generation = build_index(gallery)
    (generation / "images.parquet").unlink()
    (generation / "whitening.npz").write_bytes(b"")
    assert verify(generation.parent) == ["images.parquet is missing.", "whitening.npz differs from what was written."]


def test_a_missing_manifest_is_a_fault_and_a_missing_index_an_error(gallery: Path, build_index, tmp_path: Path):
    generation = build_index(gallery)
    (generation / "manifest.json").unlink()
    assert len(verify(generation.parent)) == 1
    with pytest.raises(IndexProblem, match="no index"):
        verify(tmp_path / "gone")


def store_table(generation: Path, name: str, column: str, values: object) -> None:
    """Overwrite the first values of a column, with a matching manifest hash."""
    table = pq.read_table(generation / name)
    rows = table.to_pylist()
    for row, value in zip(rows, values, strict=False):
        row[column] = value
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), generation / name)
    vouch(generation, name)


@pytest.mark.parametrize(("column", "value"), [("x0", -1), ("y0", 96), ("x1", 129), ("y1", 97), ("x1", 0)])
def test_boxes_outside_their_pictures(gallery: Path, build_index, column, value):
    generation = build_index(gallery)
    store_table(generation, "regions.parquet", column, [value, value])
    assert verify(generation.parent) == ["Regions that are not inside their picture: 2."]


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("thumb_start", 10**9, "thumbnail"),
        ("thumb_start", -1, "thumbnail"),
        ("thumb_bytes", 2**62, "thumbnail"),
        ("keypoints_bytes", -1, "keypoints"),
    ],
)
def test_slices_outside_their_files(gallery: Path, build_index, column, value, what):
    generation = build_index(gallery)
    store_table(generation, "images.parquet", column, [value, value, value])
    assert verify(generation.parent) == [f"Pictures with a wrong {what} location: 3."]


def test_a_wrong_number_of_skipped_files_is_reported(gallery: Path, build_index):
    (gallery / "empty.jpg").touch()
    generation = build_index(gallery)
    manifest = json.loads((generation / "manifest.json").read_bytes())
    manifest["counts"]["skipped"] = 7
    (generation / "manifest.json").write_text(json.dumps(manifest))
    assert verify(generation.parent) == ["Skipped files: 7 in the manifest, but 1 in the list."]


def test_a_picture_without_a_region(gallery: Path, build_index):
    generation = build_index(gallery)
    table = pq.read_table(generation / "regions.parquet")
    images = table["image"].to_pylist()
    store_table(generation, "regions.parquet", "image", ["0.png" if image == "1.png" else image for image in images])
    assert verify(generation.parent) == ["Pictures without a region, which searches never find: 1."]


def test_any_generation_can_be_verified(gallery: Path, build_index):
    first = build_index(gallery)
    (gallery / "0.png").unlink()
    second = build_index(gallery)
    (first / "vectors.npy").write_bytes(b"")
    assert verify(second.parent) == verify_generation(second) == []
    assert verify_generation(first) == ["vectors.npy differs from what was written."]


def test_progress_counts_files(gallery: Path, build_index):
    told = []
    generation = build_index(gallery)
    verify(generation.parent, lambda *step: told.append(step))
    assert told == [(f"Checking the files of {generation.name}", number, 10) for number in range(1, 11)]


def test_remarks_are_not_faults(gallery: Path, build_index):
    index = build_index(gallery).parent
    assert remarks(index) == []
    (index / "tmp-42-dead").mkdir()
    (current_folder(index) / "notes.txt").touch()
    left, foreign = remarks(index)
    assert left == "Left over from an interrupted build: tmp-42-dead. The next build removes it."
    assert foreign == f"notes.txt in {current_folder(index).name} is not part of the index and is ignored."
    assert verify(index) == []
    with building(index):
        assert remarks(index)[0].startswith("A build of this index is running (process ")
