"""Heads survive a round trip, and other files are refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from retrieval.descriptors.projection_head import HeadFacts, head_problem, read_head, write_head
from retrieval.descriptors.recipe import FIELD_NAMES
from retrieval.descriptors.whitening import Whitening
from retrieval.errors import BadHead, RuntimeMissing
from retrieval.optional_packages import OptionalPackage
from tests.tiny import TINY_RECIPE

FACTS = HeadFacts.of(TINY_RECIPE)


def some_head() -> Whitening:
    rng = np.random.default_rng(0)
    return Whitening("finetuned", rng.normal(size=16).astype(np.float32), rng.normal(size=(16, 8)).astype(np.float32))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    write_head(tmp_path / "head.safetensors", some_head(), FACTS)
    return tmp_path / "head.safetensors"


def test_written_head_is_read_back(written):
    head, facts = read_head(written)
    assert (head.kind, facts) == ("finetuned", FACTS)
    assert np.array_equal(head.mean, some_head().mean) and np.array_equal(head.projection, some_head().projection)
    assert [file.name for file in written.parent.iterdir()] == ["head.safetensors"]


def test_equal_heads_give_equal_files(written, tmp_path):
    write_head(tmp_path / "again", some_head(), FACTS)
    assert (tmp_path / "again").read_bytes() == written.read_bytes()


def test_column_major_head_is_written_correctly(tmp_path):
    head = some_head()
    write_head(tmp_path / "head", replace(head, projection=np.asfortranarray(head.projection)), FACTS)
    assert np.array_equal(read_head(tmp_path / "head")[0].projection, head.projection)


@pytest.mark.parametrize(
    "change",
    [
        {"mean": np.zeros(15, np.float32)},
        {"mean": np.full(16, np.nan, np.float32)},
        {"mean": np.zeros(16, np.float64)},
        {"projection": np.ones(16, np.float32)},
        {"projection": np.zeros((16, 0), np.float32)},
        {"projection": np.full((16, 8), np.inf, np.float32)},
        {"projection": np.zeros((16, 8), np.float32)},
        {"another": np.ones(3, np.float32)},
    ],
    ids=str,
)
def test_unexpected_arrays_are_refused(written, change):
    with safetensors.safe_open(written, framework="numpy") as file:
        metadata = file.metadata()
    arrays = safetensors.numpy.load_file(written) | change
    written.write_bytes(safetensors.numpy.save(arrays, metadata))
    with pytest.raises(BadHead, match=r"head\.safetensors .*\.$"):
        read_head(written)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"format": "pt"},
        {"boxfind-head-1": ""},
        {"boxfind-head-1": "[]"},
        {"boxfind-head-1": '{"backbone": "a"}'},
        {"boxfind-head-1": ('{"backbone": 1, "weights_sha256": "", "preprocessing": 1, "pooling": "gem", "fine": 0}')},
    ],
    ids=str,
)
def test_unexpected_metadata_is_refused(written, metadata):
    written.write_bytes(safetensors.numpy.save(safetensors.numpy.load_file(written), metadata))
    with pytest.raises(BadHead, match="finetune"):
        read_head(written)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.99])
def test_truncated_file_is_refused(written, share):
    data = written.read_bytes()
    written.write_bytes(data[: int(share * len(data))])
    with pytest.raises(BadHead, match="damaged"):
        read_head(written)


def test_missing_files_are_reported(tmp_path):
    with pytest.raises(BadHead, match="cannot be read"):
        read_head(tmp_path / "none")
    with pytest.raises(BadHead, match="cannot be read"):
        read_head(tmp_path)
    with pytest.raises(BadHead, match="cannot be written"):
        write_head(tmp_path / "no folder" / "head", some_head(), FACTS)


def test_invalid_head_is_not_written(tmp_path):
    with pytest.raises(BadHead):
        write_head(tmp_path / "head", replace(some_head(), mean=np.full(16, np.nan, np.float32)), FACTS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": "resnet50"},
        {"weights_sha256": "1" * 64},
        {"preprocessing": 2},
        {"pooling": "mac"},
        {"mid_layer_weight": 0.0},
    ],
    ids=str,
)
def test_head_does_not_fit_a_recipe_with_other_vectors(change):
    assert head_problem(FACTS, TINY_RECIPE) == ""
    problem = head_problem(FACTS, replace(TINY_RECIPE, **change))
    assert FIELD_NAMES[next(iter(change))] in problem and str(next(iter(change.values()))) in problem


def test_head_fits_recipes_with_other_regions_and_sizes():
    assert head_problem(FACTS, replace(TINY_RECIPE, side=320, grid_levels=4, dimensions=4)) == ""


def test_missing_package_is_named(written, monkeypatch):
    monkeypatch.setattr(
        "retrieval.descriptors.projection_head.SAFETENSORS",
        OptionalPackage("safetensors", "no_such_module", ""),
    )
    with pytest.raises(RuntimeMissing, match=r"safetensors.*pip install -e \."):
        read_head(written)
