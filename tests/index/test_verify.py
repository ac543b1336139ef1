"""verify finds what is wrong, and nothing where nothing is."""

import json
from pathlib import Path

import numpy as np
import pytest

from index.verify import verify
from retrieval.errors import IndexProblem
from retrieval.weights import file_sha256


def store_vectors(generation: Path, vectors: np.ndarray) -> None:
    """Writes them with a manifest that vouches for them: a fault of the program, not of the disk."""
    np.save(generation / "vectors.npy", vectors)
    manifest = json.loads((generation / "manifest.json").read_bytes())
    path = generation / "vectors.npy"
    manifest["files"]["vectors.npy"] = {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
    (generation / "manifest.json").write_text(json.dumps(manifest))


def test_a_good_index(gallery: Path, build_index):
    assert verify(build_index(gallery).parent) == []


def test_vectors_that_are_not_of_length_1(gallery: Path, build_index):
    generation = build_index(gallery)
    vectors = np.load(generation / "vectors.npy")
    vectors[3] *= 1.01
    vectors[7] = 0
    store_vectors(generation, vectors)
    assert verify(generation.parent) == ["2 vectors do not have length 1."]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vectors_that_are_not_numbers(gallery: Path, build_index, value):
    generation = build_index(gallery)
    vectors = np.load(generation / "vectors.npy")
    vectors[2, 1] = value
    store_vectors(generation, vectors)
    assert verify(generation.parent) == ["Some vectors hold values that are not numbers."]


def test_a_byte_of_a_thumbnail(gallery: Path, build_index):
    generation = build_index(gallery)
    thumbs = generation / "thumbs" / "0000.jpgs"
    data = bytearray(thumbs.read_bytes())
    data[len(data) // 2] ^= 1
    thumbs.write_bytes(data)
    assert verify(generation.parent) == ["thumbs/0000.jpgs is not what was written"]


def test_every_damaged_file_is_named(gallery: Path, build_index):
    generation = build_index(gallery)
    (generation / "images.parquet").unlink()
    (generation / "whitening.npz").write_bytes(b"")
    assert verify(generation.parent) == ["images.parquet is missing", "whitening.npz is not what was written"]


def test_no_manifest_and_no_index(gallery: Path, build_index, tmp_path: Path):
    generation = build_index(gallery)
    (generation / "manifest.json").unlink()
    assert len(verify(generation.parent)) == 1
    with pytest.raises(IndexProblem, match="no index"):
        verify(tmp_path / "gone")
