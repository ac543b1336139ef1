"""verify, why, skipped, doctor."""

import csv
import json
from pathlib import Path

from index.gallery import open_gallery
from index.storage.generation import current_folder
from retrieval.text.written_text import TextReader
from retrieval.types import Box, Image, WrittenLine


def test_verify(indexed, boxfind, build_index, gallery: Path):
    assert boxfind("verify", "--index", indexed.index).out == "No problems found.\n"
    generation = build_index(gallery)
    (generation / "vectors.npy").write_bytes(b"")
    boxfind("verify", "--index", generation.parent).assert_failed("vectors.npy differs from what was written")


def test_verify_compares_with_the_folder_and_the_program(boxfind, build_index, gallery: Path):
    index = build_index(gallery).parent
    (gallery / "0.png").unlink()
    (index / "tmp-1-dead").mkdir()
    result = boxfind("verify", "--index", index)
    remark, recipe, missing = result.err.splitlines()
    assert (result.code, result.out) == (1, "")
    assert remark.startswith("Left over from an interrupted build: tmp-1-dead")
    assert recipe.startswith("The index was built with efficientnet-lite0 (weights 00000000")
    assert missing.startswith("1 picture of the index is not in the folder: 0.png.")


def test_why(boxfind, build_index, gallery: Path):
    (gallery / "empty.jpg").touch()
    index = build_index(gallery).parent
    plain = boxfind("why", "1.png", "--index", index)
    assert plain.code == 0 and plain.out.startswith("1.png is in the index gen-000001-") and plain.err == ""
    assert plain.out.splitlines()[-1].endswith("with --top 0.")
    told = json.loads(boxfind("why", "1.png", "--index", index, "--json").out)
    assert told.keys() == {"verdict", "sentences", "image", "regions", "written", "shared"}
    assert told["verdict"] == "indexed" and told["written"] == []
    assert told["regions"][0] == {"kind": "whole", "box": [0, 0, 128, 96]}
    for asked, says in {"empty.jpg": "empty (0 bytes)", "gone.jpg": "The file gone.jpg does not exist"}.items():
        result = boxfind("why", asked, "--index", index)
        assert result.code == 0 and says in result.out and "--top" not in result.out
    boxfind("why", "1.png", "--index", gallery).assert_failed("no index")


def test_why_says_which_words_of_a_query_are_written(boxfind, build_index, gallery: Path, monkeypatch):
    index = build_index(gallery).parent
    pictures = open_gallery(current_folder(index))
    line = WrittenLine("Diet Coke", Box(1, 2, 30, 12), 0.9)
    pictures.written_text.add({pictures.contents.of_image(pictures.number("1.png")): [line]})
    why = ("why", "1.png", "--index", index)
    assert "Of the query it has “Coke”; not “light”." in boxfind(*why, "--text", "light Coke").out
    told = json.loads(boxfind(*why, "--text", '"diet coke"', "--json").out)
    assert (told["written"], told["shared"]) == ([{"text": "Diet Coke", "box": [1, 2, 29, 10]}], ["diet coke"])
    asked = []
    monkeypatch.setattr(TextReader, "of_queries", lambda: Reader(asked))
    query = ("--query", gallery / "2.png")
    assert "Of the query it has “coke”." in boxfind(*why, *query, "--box", "8,9,40,20").out
    assert "Of the query it has “coke”; not “light”." in boxfind(*why, *query, "--text", "light").out
    assert asked == [(20, 40, 3), (96, 128, 3)]
    boxfind(*why, *query, "--box", "500,9,40,20").assert_failed("outside the picture")
    assert "--box needs --query" in boxfind(*why, "--box", "8,9,40,20").err


class Reader:
    """Reads "coke" in every picture, and keeps the shapes of the pictures."""

    def __init__(self, asked: list) -> None:
        self.asked = asked

    def read(self, image: Image) -> list[WrittenLine]:
        self.asked.append(image.shape)
        return [WrittenLine("coke", Box(0, 0, 9, 9), 1.0)]


def test_skipped(boxfind, build_index, gallery: Path, tmp_path: Path):
    assert boxfind("skipped", "--index", build_index(gallery).parent).out == "No files were skipped.\n"
    for name in ("=cmd().jpg", "line\nbreak.jpg"):
        (gallery / name).touch()
    index = build_index(gallery).parent
    result = boxfind("skipped", "--index", index, "--csv", tmp_path / "skipped.csv")
    assert result.code == 0 and result.out.splitlines() == [
        "empty           =cmd().jpg  =cmd().jpg is empty (0 bytes).",
        "empty           line\ufffdbreak.jpg  line\ufffdbreak.jpg is empty (0 bytes).",
    ]
    with (tmp_path / "skipped.csv").open(newline="", encoding="utf-8-sig") as file:
        assert [row["file"] for row in csv.DictReader(file)] == ["'=cmd().jpg", "line\nbreak.jpg"]
    boxfind("skipped", "--index", tmp_path / "gone").assert_failed("no index")
    boxfind("skipped", "--index", index, "--csv", tmp_path / "no" / "a.csv").assert_failed("No such file")


def test_doctor(boxfind):
    result = boxfind("doctor", "--json")
    findings = json.loads(result.out)
    assert result.code == 0 and findings.keys() >= {
        "python",
        "packages",
        "device",
        "runtime",
        "weights",
        "torchvision",
        "index",
    }
    plain = boxfind("doctor")
    assert plain.code == 0 and all(key in plain.out for key in findings)
