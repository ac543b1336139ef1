"""The commands `collections`, and `--collection` of the others."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from boxfind.collection_table import FILE
from index.operations import away_check
from tests.tiny import eight_pictures, use_tiny_network


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline: Path) -> Path:
    """A data folder without collections, and the tiny network."""
    monkeypatch.setenv("BOXFIND_DATA", str(tmp_path / "data"))
    for name, value in {"SIDE": "128", "GRID_LEVELS": "2", "WORKERS": "2"}.items():
        monkeypatch.setenv(f"BOXFIND_{name}", value)
    use_tiny_network(monkeypatch)
    return tmp_path / "data"


def test_collections_are_added_built_searched_renamed_and_removed(boxfind, data: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        eight_pictures(tmp_path / name)
        assert boxfind("collections", "add", name.title(), tmp_path / name, "--exclude", "0.png").code == 0
        assert boxfind("build", "--collection", name).code == 0
    listed = json.loads(boxfind("collections", "--json").out)
    assert [(row["name"], row["pictures"]) for row in listed] == [("One", 7), ("Two", 7)]
    assert [row["excluded"] for row in listed] == [["0.png"]] * 2
    query = ("search", "--image", tmp_path / "one" / "3.png", "--json")
    assert {row.get("collection") for row in json.loads(boxfind(*query).out)} == {None}  # the first one
    both = json.loads(boxfind(*query, "--collection", "all", "--top", 2).out)
    assert sorted((row["collection"], row["image"]) for row in both) == [("One", "3.png"), ("Two", "3.png")]
    lines = boxfind(*query[:-1], "--collection", "ALL", "--top", 2).out
    assert "One: 3.png" in lines and "Two: 3.png" in lines
    for command in (("verify",), ("skipped",), ("generations",), ("why", "3.png")):
        assert boxfind(*command, "--collection", "TWO").code == 0
    assert boxfind("collections", "rename", "two", "Zwei").code == 0
    assert boxfind("verify", "--collection", "zwei").code == 0
    index = Path(listed[1]["index"])
    assert boxfind("collections", "remove", "zwei").code == 0 and (index / "CURRENT").exists()
    assert boxfind("collections", "remove", "one", "--index").code == 0
    assert not Path(listed[0]["index"]).exists() and len(list((tmp_path / "one").iterdir())) > 0


def test_one_picture_is_singular(boxfind, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boxfind("collections", "add", "One", eight_pictures(tmp_path / "one"))
    manifest = SimpleNamespace(counts=SimpleNamespace(images=1))
    monkeypatch.setattr("index.storage.generation.current_folder", lambda index: index)
    monkeypatch.setattr("index.storage.manifest.read_manifest", lambda folder: manifest)
    assert "1 picture  " in boxfind("collections").out


def test_r96_a_collection_follows_its_folder(boxfind, data: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(away_check, "LASTS", 0.0)
    folder = eight_pictures(tmp_path / "one")
    assert boxfind("collections", "add", "One", folder).code == 0 and boxfind("build", "--collection", "one").code == 0
    moved, others = folder.rename(tmp_path / "moved"), tmp_path / "others"
    others.mkdir()
    boxfind("collections", "move", "one", others).assert_failed("others does not have the pictures")
    boxfind("collections", "move", "one", tmp_path / "nowhere").assert_failed("no such folder")
    boxfind("collections", "move", "two", moved).assert_failed("no collection called 'two'")
    boxfind("collections", "move", "default", others).assert_failed("does not have the pictures")
    advice = boxfind("build", "--collection", "one").err
    assert f"run boxfind collections move One {moved}; nothing" in advice
    said = boxfind("collections", "move", "one", moved)
    assert said.code == 0 and said.out == f"The pictures of One are now in {moved}; its index is used there.\n"
    assert json.loads(boxfind("collections", "--json").out)[0]["folders"] == [str(moved)]
    assert boxfind("build", "--collection", "one").out.endswith("The index is already up to date.\n")
    monkeypatch.setenv("BOXFIND_GALLERY", str(moved))
    boxfind("collections", "move", "default", moved).assert_failed("default is not in the list")


def test_mistakes_are_one_sentence(boxfind, data: Path, tmp_path: Path) -> None:
    boxfind("collections", "add", "all", tmp_path).assert_failed("all", "another name")
    boxfind("collections", "add", "x", tmp_path / "nowhere").assert_failed("no such folder")
    boxfind("build", "--collection", "nobody").assert_failed("nobody", "sample")
    boxfind("build", "--collection", "x", "--gallery", tmp_path).assert_failed("--collection", "--gallery")
    boxfind("search", "--collection", "all", "--text", "x", "--folder", "y").assert_failed("one collection")
    boxfind("collections", "remove", "sample").assert_failed("sample")


def test_r99_a_damaged_table_is_one_sentence(boxfind, data: Path) -> None:
    data.mkdir()
    (data / FILE).write_text("{")
    boxfind("collections").assert_failed(FILE, "damaged")
    boxfind("build").assert_failed(FILE, "damaged")
    assert (data / FILE).read_text() == "{"
