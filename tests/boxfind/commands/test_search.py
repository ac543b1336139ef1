"""search: prints ten lines or JSON; every query error is one message."""

import json
import os
import re
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from boxfind.commands import main
from boxfind.embedders import cache_file
from boxfind.engine import Engine
from boxfind.settings import Settings
from retrieval.networks import openvino_runtime
from retrieval.networks.backbones import BACKBONES
from retrieval.ranking import confidence
from retrieval.ranking.confidence import NO_MATCH
from tests.waves import make_wave

BAD_PICTURES = {
    "empty.jpg": b"",
    "random.jpg": bytes(range(7, 256)) * 20,
    "text.jpg": b"hello\n" * 100,
    "page.jpg": b"<!doctype html><html></html>",
    "drawing.jpg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "paper.jpg": b"%PDF-1.7\n",
    "line\nbreak.jpg": b"x",
    "bomb.png": b"\x89PNG\r\n\x1a\n"
    + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 20_000, 20_000, 1, 0, 0, 0, 0)
    + struct.pack(">I", 0x7B6C9F31),
}


def test_r61_an_incomplete_query_picture(indexed, boxfind, tmp_path: Path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    Pillow.fromarray(noise).save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:40_000] + b"\xff\xd9")
    search = ("search", "--index", indexed.index, "--image", tmp_path / "cut.jpg")
    boxfind(*search).assert_failed("cut.jpg is incomplete")
    monkeypatch.setenv("BOXFIND_INCOMPLETE", "1")
    assert boxfind(*search).code == 0
    data = (tmp_path / "cut.jpg").read_bytes()
    assert Engine(Settings.load()).visitor_pictures.read(data, "cut.jpg").size == (640, 480)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "/srv/a"), "/srv/a cannot be read or written: Permission denied."),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused."),
        (TimeoutError("timed out"), "timed out."),
        (TimeoutError(), "TimeoutError."),
    ],
    ids=str,
)
def test_errors_of_the_system_are_one_sentence(boxfind, monkeypatch, error: OSError, said: str):
    def refused() -> None:
        raise error

    monkeypatch.setattr(main, "command_line", refused)
    assert boxfind().err == f"{said}\n"


def test_search_prints_ten_lines(indexed, run_subprocess):
    result = run_subprocess(
        "search", "--index", indexed.index, "--image", indexed.gallery / "03.png", "--box", "20,20,180,150"
    )
    assert result.code == 0 and result.err in ("", NO_MATCH + "\n")
    lines = result.out.splitlines()
    assert len(lines) == 10
    words = r"([ \d]\d\d| +\d) (?:likely|possible|uncertain|unlikely) *"
    line_of = re.compile(rf" *(\d+)  (-?\d\.\d{{4}})  {words}  (\d\d\.png)  (\d+),(\d+),(\d+),(\d+)")
    fields = [line_of.fullmatch(line) for line in lines]
    assert all(fields)
    assert [int(found[1]) for found in fields] == list(range(1, 11))
    assert fields[0][4] == "03.png" and len({found[4] for found in fields}) == 10
    figures = [int(found[3]) for found in fields]
    assert figures == sorted(figures, reverse=True) and figures[0] > figures[-1]
    scores = [float(found[2]) for found in fields]
    assert scores == sorted(scores, reverse=True)
    for found in fields:
        x, y, w, h = (int(found[n]) for n in range(5, 9))
        assert 0 <= x < x + w <= 256 and 0 <= y < y + h <= 192


def test_r68_a_search_without_a_usable_data_folder(indexed, boxfind, offline, tmp_path, monkeypatch):
    (tmp_path / "data").touch()  # a file where the folder should be
    monkeypatch.setenv("BOXFIND_DATA", str(tmp_path / "data"))
    converted = cache_file(BACKBONES["efficientnet-lite0"], Settings.load(data=offline), "xml")
    openvino = openvino_runtime.import_openvino()  # converting the network takes too long for a test
    monkeypatch.setattr(openvino, "convert_model", lambda *_, **__: openvino.Core().read_model(converted))
    result = boxfind("search", "--index", indexed.index, "--image", indexed.gallery / "03.png")
    assert result.code == 0 and "  03.png  " in result.out.splitlines()[0], result
    assert result.err.count("cannot be saved") <= 1 and "Traceback" not in result.err


def test_search_as_json(indexed, boxfind):
    args = ("search", "--index", indexed.index, "--image", indexed.gallery / "05.png")
    rows = json.loads(boxfind(*args, "--json", "--top", 0).out)
    assert len(rows) == 12 and [row["rank"] for row in rows] == list(range(1, 13))
    fields = {"rank", "image", "score", "similarity", "confidence", "match", "parts", "box", "kind"}
    assert all(row.keys() == fields | {"written", "same_text"} for row in rows)
    assert all(row["parts"] == {"similarity": row["score"]} and row["similarity"] == row["score"] for row in rows)
    assert {row["confidence"] for row in rows} <= {"likely", "possible", "unlikely"}
    assert (rows[0]["image"], rows[0]["box"], rows[0]["kind"]) == ("05.png", [0, 0, 256, 192], "whole")
    assert rows[0]["score"] == pytest.approx(1, abs=1e-3)
    assert [row["image"] for row in json.loads(boxfind(*args, "--json", "--top", 4).out)] == [
        row["image"] for row in rows[:4]
    ]
    assert len(boxfind(*args, "--top", 3).out.splitlines()) == 3


def test_search_with_the_best_ranking(indexed, boxfind):
    args = ("search", "--index", indexed.index, "--image", indexed.gallery / "05.png", "--rank", "best", "--top", 0)
    rows = json.loads(boxfind(*args, "--json").out)
    assert sorted(row["image"] for row in rows) == [f"{number:02d}.png" for number in range(12)]
    assert (rows[0]["image"], rows[0]["kind"], rows[0]["confidence"]) == ("05.png", "verified", "likely")
    assert rows[0]["box"] == pytest.approx([0, 0, 256, 192], abs=2)
    assert rows[0]["similarity"] == pytest.approx(1, abs=1e-3)
    for row in rows:
        assert row["parts"].keys() == {"expansion", "diffusion", "lead", "verification", "appearance", "text"}
        assert row["score"] == pytest.approx(sum(row["parts"].values()), abs=2e-4)
    assert len(boxfind(*args).out.splitlines()) == 12


def test_r90_a_search_in_a_part_of_the_pictures_says_so(indexed, boxfind, tmp_path: Path):
    index = shutil.copytree(indexed.index, tmp_path / "index")
    picture = indexed.gallery / "03.png"
    whole = boxfind("search", "--index", indexed.index, "--image", picture)
    make_wave(index, found=98310)
    part = boxfind("search", "--index", index, "--image", picture)
    assert part.err == "Searching 12 of 98,310 pictures; the build was stopped. Update continues it.\n"
    assert (part.code, part.out, whole.err) == (0, whole.out, "")


def test_no_match_is_noted_on_standard_error(indexed, boxfind, monkeypatch):
    args = ("search", "--index", indexed.index, "--image", indexed.gallery / "05.png", "--top", 3)
    monkeypatch.setattr(confidence, "no_match", lambda hits: True)
    result = boxfind(*args)
    assert result.code == 0 and result.err == NO_MATCH + "\n" and len(result.out.splitlines()) == 3
    monkeypatch.setattr(confidence, "no_match", lambda hits: False)
    assert boxfind(*args).err == ""
    assert boxfind(*args, "--json").err == ""


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_a_bad_picture_is_one_line(indexed, boxfind, tmp_path: Path, name):
    (tmp_path / name).write_bytes(BAD_PICTURES[name])
    boxfind("search", "--index", indexed.index, "--image", tmp_path / name).assert_failed()


def test_other_invalid_pictures_are_one_line(indexed, boxfind, tmp_path: Path, draw):
    search = ("search", "--index", indexed.index, "--image")
    Pillow.fromarray(draw(1)).save(tmp_path / "good.jpg")
    data = (tmp_path / "good.jpg").read_bytes()
    for share in (0.1, 0.5, 0.9):
        (tmp_path / "cut.jpg").write_bytes(data[: int(share * len(data))])
        boxfind(*search, tmp_path / "cut.jpg").assert_failed("cut.jpg")
    for size in ((1, 1), (3, 4000)):
        Pillow.new("RGB", size).save(tmp_path / "odd.png")
        boxfind(*search, tmp_path / "odd.png").assert_failed("odd.png")
    os.mkfifo(tmp_path / "pipe.jpg")
    boxfind(*search, tmp_path / "pipe.jpg").assert_failed("pipe.jpg")
    boxfind(*search, tmp_path).assert_failed(tmp_path.name)
    boxfind(*search, tmp_path / "gone.jpg").assert_failed("gone.jpg")


def test_a_bad_picture_in_a_real_process(indexed, run_subprocess, tmp_path: Path):
    (tmp_path / "empty.jpg").touch()
    run_subprocess("search", "--index", indexed.index, "--image", tmp_path / "empty.jpg").assert_failed("empty")


@pytest.mark.parametrize(
    "box", ["1,2,3", "a,b,c,d", "1,2,3,4,5", "nan,0,50,50", "inf,0,50,50", "900,900,50,50", "0,0,3,3"]
)
def test_a_bad_box_is_one_line(indexed, boxfind, box):
    boxfind("search", "--index", indexed.index, "--image", indexed.gallery / "01.png", "--box", box).assert_failed()


def test_other_requests_that_fail_are_one_line(indexed, boxfind, tmp_path: Path, monkeypatch):
    picture = indexed.gallery / "01.png"
    good_search = ("search", "--index", indexed.index, "--image", picture)
    boxfind("search", "--index", tmp_path / "gone", "--image", picture).assert_failed("no index")
    boxfind(*good_search, "--rank", "bets").assert_failed("bets", "choose from: best, euclidean, fast, sift")
    boxfind("verify", "--index", tmp_path / "gone").assert_failed("no index")
    boxfind("evaluate", "--index", indexed.index, "--dataset", tmp_path).assert_failed("queries.csv")
    (tmp_path / "file").touch()
    monkeypatch.setenv("BOXFIND_WORKERS", "0")
    boxfind(*good_search).assert_failed("BOXFIND_WORKERS")
