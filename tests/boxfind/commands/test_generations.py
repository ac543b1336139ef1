"""generations, rollback, backup, restore."""

import json
from pathlib import Path

import pytest
from PIL import Image as Pillow

from index.building.wave_rule import WaveTimes
from index.building.waves import WaveOptions
from index.storage.generation import current_folder
from retrieval.errors import BuildCancelled


@pytest.fixture
def two(build_index, gallery: Path) -> list[Path]:
    """Two generations, the second with one picture fewer."""
    first = build_index(gallery)
    (gallery / "0.png").unlink()
    return [first, build_index(gallery)]


def test_generations(two, boxfind):
    index = two[0].parent
    listed = boxfind("generations", "--index", index)
    heading, first, second = listed.out.splitlines()
    assert heading.split()[:2] == ["name", "built"]
    assert first.split()[0] == two[0].name and first.split()[3] == "8" and first.endswith("  intact")
    assert second.split()[:2] == ["*", two[1].name] and second.split()[4] == "7" and second.endswith("  intact, served")
    (two[0] / "vectors.npy").write_bytes(bytes((two[0] / "vectors.npy").stat().st_size))
    assert boxfind("generations", "--index", index).out == listed.out
    assert "vectors.npy differs from what was written" in boxfind("generations", "--index", index, "--check").out
    told = json.loads(boxfind("generations", "--index", index, "--json").out)
    assert [(one["name"], one["served"], one["images"]) for one in told] == [
        (two[0].name, False, 8),
        (two[1].name, True, 7),
    ]
    boxfind("generations", "--index", index.parent).assert_failed("no index")


def test_r85_generations_of_an_update_that_was_interrupted(two, boxfind, draw, build_index):
    def stop(*_: object) -> None:
        raise BuildCancelled("Cancelled.")

    gallery, index = two[1].parent.parent / "gallery", two[1].parent
    for number in (20, 21, 22):
        Pillow.fromarray(draw(number)).save(gallery / f"{number}.png")
    with pytest.raises(BuildCancelled):
        build_index(gallery, waves=WaveOptions(WaveTimes(1e-9, 1.0, 1e9), stop))
    last = boxfind("generations", "--index", index).out.splitlines()[-1]
    assert last.startswith("* ") and last.endswith("  intact, served, not finished: 8 of 10 pictures")
    assert boxfind("rollback", "--index", index).out.startswith(f"Now serving {two[1].name}.")


def test_rollback_and_forward_again(two, boxfind):
    index = two[0].parent
    result = boxfind("rollback", "--index", index)
    first, forward = result.out.splitlines()
    assert (result.code, first) == (0, f"Now serving {two[0].name}.") and current_folder(index) == two[0]
    words = forward.partition(": boxfind ")[2].split()
    assert boxfind(*words).code == 0 and current_folder(index) == two[1]
    boxfind("rollback", "--index", index, "--to", "gen-000009-0000").assert_failed("choose one of ")
    (two[0] / "manifest.json").unlink()
    boxfind("rollback", "--index", index).assert_failed("no earlier intact generation")
    assert current_folder(index) == two[1]


def test_backup_and_restore(two, boxfind, tmp_path: Path):
    index, kept = two[0].parent, tmp_path / "kept.tar"
    result = boxfind("backup", "--index", index, "--out", kept)
    assert result.code == 0 and result.out.startswith(f"Wrote {two[1].name} to {kept} (")
    boxfind("backup", "--index", index, "--out", kept).assert_failed("already exists")
    result = boxfind("restore", kept, "--index", tmp_path / "other")
    assert result.code == 0 and result.out.endswith("it is now served.\n")
    assert (current_folder(tmp_path / "other") / "vectors.npy").read_bytes() == (two[1] / "vectors.npy").read_bytes()
    kept.write_bytes(kept.read_bytes()[:5000])
    boxfind("restore", kept, "--index", tmp_path / "other").assert_failed(
        "not a complete backup", "Nothing was changed"
    )


def test_rollback_switches_the_alias_in_milvus_too(two, boxfind, lite, monkeypatch):
    for name, value in (("STORE", "milvus"), ("MILVUS_URI", lite.access.uri), ("MILVUS_ALIAS", "of_a_command")):
        monkeypatch.setenv(f"BOXFIND_{name}", value)
    assert boxfind("rollback", "--index", two[0].parent).code == 0
    with lite.client() as client:
        named = client.describe_alias("of_a_command")["collection_name"]
    assert named == f"of_a_command_{two[0].name.replace('-', '_')}_flat"
    monkeypatch.setenv("BOXFIND_MILVUS_URI", "http://127.0.0.1:1")
    boxfind("rollback", "--index", two[0].parent, "--to", two[1].name).assert_failed("does not answer")
    assert current_folder(two[0].parent) == two[0]
