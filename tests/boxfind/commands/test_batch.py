"""batch: reads a table or a folder of queries, writes a table, a rank list and sheets; bad queries are skipped."""

import csv
import json
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image as Pillow


@pytest.fixture
def queries(tmp_path: Path, indexed) -> Path:
    """A query folder: a picture with two boxes, one with a box outside it, and one without a text file."""
    folder = tmp_path / "queries"
    folder.mkdir()
    for name, number in (("two cups.png", 2), ("far.png", 3), ("whole.png", 5)):
        (folder / name).write_bytes((indexed.gallery / f"{number:02d}.png").read_bytes())
    (folder / "two cups.txt").write_text("0 0 256 192\n10,20,120,100\n")
    (folder / "far.txt").write_text("900 900 50 50")
    return folder


def test_a_folder_of_queries_gives_hits_ranks_and_sheets(indexed, boxfind, queries: Path, tmp_path: Path):
    result = boxfind(
        *("batch", "--index", indexed.index, "--queries", queries, "--out", tmp_path / "hits.csv"),
        *("--ranks", tmp_path / "ranks.txt", "--sheets", tmp_path / "new" / "sheets", "--top", 3),
    )
    assert result.code == 1 and result.out == ""
    problem, sentence = result.err.splitlines()
    assert problem.startswith("far: The box lies outside") and sentence.startswith("1 of 4 queries failed")
    with (tmp_path / "hits.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    asked = ["two cups-1", "two cups-2", "whole"]
    assert [(row["query"], row["rank"]) for row in rows] == [(name, str(n)) for name in asked for n in (1, 2, 3)]
    assert (rows[0]["image"], rows[6]["image"]) == ("02.png", "05.png")
    lines = (tmp_path / "ranks.txt").read_text(encoding="utf-8").splitlines()
    for name, line in zip(asked, lines, strict=True):
        found = [row["image"] for row in rows if row["query"] == name]
        written = json.dumps(name) if " " in name else name
        assert line == f"query {written}: matches {' '.join(found)}"
    sheets = sorted((tmp_path / "new" / "sheets").iterdir())
    assert [sheet.name for sheet in sheets] == [f"{name}.jpg" for name in asked]
    assert all(sheet.read_bytes().startswith(b"\xff\xd8") for sheet in sheets)


def test_every_invalid_query_is_reported(indexed, boxfind, queries: Path, tmp_path: Path):
    (queries / "far.txt").write_text("near the window")
    (queries / "alone.txt").write_text("1 2 3 4")
    args = ("batch", "--index", indexed.index, "--queries", queries, "--out", tmp_path / "hits.csv", "--top", 1)
    result = boxfind(*args)
    assert result.code == 1
    broken, alone, sentence = result.err.splitlines()
    assert broken.startswith("far.txt, line 1: near the window is not a box") and alone.startswith("alone.txt has no")
    assert sentence.startswith("2 of 5 queries failed")
    assert len(pd.read_csv(tmp_path / "hits.csv")) == 3
    for name in ("far.txt", "alone.txt"):
        (queries / name).unlink()
    assert boxfind(*args).code == 0 and len(pd.read_csv(tmp_path / "hits.csv")) == 4
    assert {path.name for path in tmp_path.iterdir()} == {"queries", "hits.csv"}


def test_each_query_has_its_own_sheet(indexed, boxfind, tmp_path: Path):
    names = ["a/b", "A?B", "../..", "..", "x" * 300, "x" * 300 + "y"]
    table = "".join(f"{name},02.png,0,0,256,192\n" for name in names)
    (tmp_path / "queries.csv").write_text("query,image,x,y,w,h\n" + table)
    result = boxfind(
        *("batch", "--index", indexed.index, "--queries", tmp_path / "queries.csv", "--images", indexed.gallery),
        *("--out", tmp_path / "hits.csv", "--sheets", tmp_path / "sheets", "--top", 2),
    )
    assert result.code == 0, result.err
    found = sorted(path.name for path in (tmp_path / "sheets").iterdir())
    assert len({name.casefold() for name in found}) == len(names) and {"a-b.jpg", "A-B-2.jpg"} <= set(found)
    assert {path.name for path in tmp_path.iterdir()} == {"queries.csv", "hits.csv", "sheets"}


def test_a_table_needs_the_folder_of_its_images(indexed, boxfind, tmp_path: Path):
    (tmp_path / "queries.csv").write_text("query,image,x,y,w,h\na,02.png,0,0,256,192\n")
    result = boxfind(
        "batch", "--index", indexed.index, "--queries", tmp_path / "queries.csv", "--out", tmp_path / "hits.csv"
    )
    assert result.code == 2 and "--images" in result.err and not (tmp_path / "hits.csv").exists()


def test_an_unwritable_output_is_one_line(indexed, boxfind, queries: Path, tmp_path: Path):
    (queries / "far.txt").unlink()
    (tmp_path / "file").touch()
    args = ("batch", "--index", indexed.index, "--queries", queries, "--out", tmp_path / "hits.csv", "--top", 1)
    boxfind(*args, "--ranks", tmp_path / "gone" / "ranks.txt").assert_failed("ranks.txt")
    boxfind(*args, "--sheets", tmp_path / "file").assert_failed("file")
    boxfind("batch", "--index", indexed.index, "--queries", indexed.index, *args[5:]).assert_failed("no pictures")


def test_batch_goes_on_after_a_bad_query(indexed, boxfind, tmp_path: Path):
    (tmp_path / "queries.csv").write_text(
        "query,image,x,y,w,h\ngood,02.png,0,0,256,192\nbad,gone.png,0,0,9,9\nlast,07.png,0,0,256,192\n"
    )
    args = ("batch", "--index", indexed.index, "--queries", tmp_path / "queries.csv", "--images", indexed.gallery)
    result = boxfind(*args, "--out", tmp_path / "hits.csv", "--top", 5)
    assert result.code == 1 and result.out == ""
    problem, sentence = result.err.splitlines()
    assert problem.startswith("bad: There is no file") and sentence.startswith("1 of 3 queries failed")
    with (tmp_path / "hits.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["query", "rank", "image", "score", "x", "y", "w", "h", "match"]
    assert [(row["query"], row["rank"]) for row in rows] == [(q, str(n)) for q in ("good", "last") for n in range(1, 6)]
    assert (rows[0]["image"], rows[5]["image"]) == ("02.png", "07.png")
    (tmp_path / "queries.csv").write_text("query,image,x,y,w,h\ngood,02.png,0,0,256,192\n")
    assert boxfind(*args, "--out", tmp_path / "hits.csv").code == 0


def test_r50_names_in_hits_are_as_they_are_and_formulas_are_told(indexed, boxfind, tmp_path: Path, draw):
    """hits.csv keeps exact ids, because programs read it."""
    (tmp_path / "gallery").mkdir()
    names = ["=cmd().png", "+1.png", "@home.png", "-rf.png", 'comma, "quote".png', "line\nbreak.png", "😀.png"]
    for number, name in enumerate(names):
        Pillow.fromarray(draw(number, 96, 96)).save(tmp_path / "gallery" / name)
    build = ("build", "--backbone", "efficientnet-lite0", "--index", tmp_path / "index")
    assert boxfind(*build, "--gallery", tmp_path / "gallery").code == 0
    (tmp_path / "queries.csv").write_text("query,image,x,y,w,h\na,01.png,0,0,256,192\n")
    result = boxfind(
        *("batch", "--index", tmp_path / "index", "--queries", tmp_path / "queries.csv"),
        *("--images", indexed.gallery, "--out", tmp_path / "hits.csv"),
    )
    assert result.code == 0 and "4 names starting with =" in result.err
    with (tmp_path / "hits.csv").open(newline="", encoding="utf-8") as file:
        assert sorted(row["image"] for row in csv.DictReader(file)) == sorted(names)
    assert sorted(pd.read_csv(tmp_path / "hits.csv")["image"]) == sorted(names)
    search = ("search", "--index", tmp_path / "index", "--image", indexed.gallery / "01.png", "--json")
    assert sorted(row["image"] for row in json.loads(boxfind(*search).out)) == sorted(names)
