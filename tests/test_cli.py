"""The command line does what its documentation says, and what goes wrong is one line and an exit code."""

import csv
import json
import os
import re
import shlex
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from PIL import Image as Pillow

import cli
from index.generation import current_folder, read_manifest
from retrieval import confidence
from retrieval.confidence import NO_MATCH

ROOT = Path(__file__).parents[1]
DOCUMENTED = {
    "build": {"--gallery", "--index", "--backbone", "--full"},
    "search": {"--index", "--image", "--box", "--top", "--rank", "--json"},
    "batch": {"--index", "--queries", "--images", "--top", "--rank", "--out"},
    "evaluate": {"--index", "--dataset", "--rank", "--format", "--json", "--csv"},
    "verify": {"--index"},
    "doctor": {"--json"},
}
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


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Place:
    """A gallery of twelve pictures, indexed through the command line with the bundled network."""

    gallery: Path
    index: Path
    said: Result


def in_a_process(*args: object) -> Result:
    done = subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), *map(str, args)], capture_output=True, text=True, timeout=200
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, draw) -> Place:
    folder = tmp_path_factory.mktemp("cli")
    (folder / "gallery").mkdir()
    for number in range(12):
        Pillow.fromarray(draw(number, 256, 192)).save(folder / "gallery" / f"{number:02d}.png")
    (folder / "gallery" / "broken :smile: [red].jpg").write_bytes(b"")
    said = in_a_process(
        *("build", "--gallery", folder / "gallery", "--index", folder / "index", "--backbone", "efficientnet-lite0")
    )
    return Place(folder / "gallery", folder / "index", said)


@pytest.fixture
def boxfind(monkeypatch, capsys) -> Callable[..., Result]:
    """The command line within this process."""

    def run(*args: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["cli.py", *map(str, args)])
        capsys.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return run


def assert_one_line(result: Result, *words: str) -> None:
    assert result.code == 1 and result.out == ""
    assert result.err.count("\n") == 1 and "Traceback" not in result.err and result.err.endswith(".\n"), result.err
    assert all(word in result.err for word in words), result.err


def test_build(place):
    assert place.said.code == 0, place.said.err
    counts = read_manifest(current_folder(place.index)).counts
    assert re.fullmatch(
        rf"Indexed 12 pictures \({counts.regions} regions\) with efficientnet-lite0, centre whitening, "
        r"in \d+ s; skipped 1\.\n",
        place.said.out,
    )
    assert 12 * 21 < counts.regions < 12 * 41  # the whole and four levels of the grid, but for what repeats
    assert "Skipped broken :smile: [red].jpg: broken :smile: [red].jpg is empty (0 bytes).\n" in place.said.err
    assert counts.images == 12


def test_search_prints_ten_lines(place):
    result = in_a_process(
        "search", "--index", place.index, "--image", place.gallery / "03.png", "--box", "20,20,180,150"
    )
    assert result.code == 0 and result.err in ("", NO_MATCH + "\n")
    lines = result.out.splitlines()
    assert len(lines) == 10
    words = "(?:likely|possible|unlikely) *"
    line_of = re.compile(rf" *(\d+)  (-?\d\.\d{{4}})  {words}  (\d\d\.png)  (\d+),(\d+),(\d+),(\d+)")
    fields = [line_of.fullmatch(line) for line in lines]
    assert all(fields)
    assert [int(found[1]) for found in fields] == list(range(1, 11))
    assert fields[0][3] == "03.png" and len({found[3] for found in fields}) == 10
    scores = [float(found[2]) for found in fields]
    assert scores == sorted(scores, reverse=True)
    for found in fields:
        x, y, w, h = (int(found[n]) for n in range(4, 8))
        assert 0 <= x < x + w <= 256 and 0 <= y < y + h <= 192


def test_search_as_json(place, boxfind):
    args = ("search", "--index", place.index, "--image", place.gallery / "05.png")
    rows = json.loads(boxfind(*args, "--json", "--top", 0).out)
    assert len(rows) == 12 and [row["rank"] for row in rows] == list(range(1, 13))
    assert all(
        row.keys() == {"rank", "image", "score", "similarity", "confidence", "parts", "box", "kind"} for row in rows
    )
    assert all(row["parts"] == {"similarity": row["score"]} and row["similarity"] == row["score"] for row in rows)
    assert {row["confidence"] for row in rows} <= {"likely", "possible", "unlikely"}
    assert (rows[0]["image"], rows[0]["box"], rows[0]["kind"]) == ("05.png", [0, 0, 256, 192], "whole")
    assert rows[0]["score"] == pytest.approx(1, abs=1e-3)
    assert [row["image"] for row in json.loads(boxfind(*args, "--json", "--top", 4).out)] == [
        row["image"] for row in rows[:4]
    ]
    assert len(boxfind(*args, "--top", 3).out.splitlines()) == 3


def test_search_with_the_best_ranking(place, boxfind):
    args = ("search", "--index", place.index, "--image", place.gallery / "05.png", "--rank", "best", "--top", 0)
    rows = json.loads(boxfind(*args, "--json").out)
    assert sorted(row["image"] for row in rows) == [f"{number:02d}.png" for number in range(12)]
    assert (rows[0]["image"], rows[0]["kind"], rows[0]["confidence"]) == ("05.png", "verified", "likely")
    assert rows[0]["box"] == pytest.approx([0, 0, 256, 192], abs=2)
    assert rows[0]["similarity"] == pytest.approx(1, abs=1e-3)
    for row in rows:
        assert row["parts"].keys() == {"expansion", "diffusion", "verification"}
        assert row["score"] == pytest.approx(sum(row["parts"].values()), abs=2e-4)
    assert len(boxfind(*args).out.splitlines()) == 12


def test_no_match_is_said_on_the_other_stream(place, boxfind, monkeypatch):
    args = ("search", "--index", place.index, "--image", place.gallery / "05.png", "--top", 3)
    monkeypatch.setattr(confidence, "no_match", lambda hits: True)
    result = boxfind(*args)
    assert result.code == 0 and result.err == NO_MATCH + "\n" and len(result.out.splitlines()) == 3
    monkeypatch.setattr(confidence, "no_match", lambda hits: False)
    assert boxfind(*args).err == ""
    assert boxfind(*args, "--json").err == ""


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_a_bad_picture_is_one_line(place, boxfind, tmp_path: Path, name):
    (tmp_path / name).write_bytes(BAD_PICTURES[name])
    assert_one_line(boxfind("search", "--index", place.index, "--image", tmp_path / name))


def test_more_that_can_be_wrong_with_a_picture(place, boxfind, tmp_path: Path, draw):
    search = ("search", "--index", place.index, "--image")
    Pillow.fromarray(draw(1)).save(tmp_path / "good.jpg")
    data = (tmp_path / "good.jpg").read_bytes()
    for share in (0.1, 0.5, 0.9):
        (tmp_path / "cut.jpg").write_bytes(data[: int(share * len(data))])
        assert_one_line(boxfind(*search, tmp_path / "cut.jpg"), "cut.jpg")
    for size in ((1, 1), (3, 4000)):
        Pillow.new("RGB", size).save(tmp_path / "odd.png")
        assert_one_line(boxfind(*search, tmp_path / "odd.png"), "odd.png")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert_one_line(boxfind(*search, tmp_path / "pipe.jpg"), "pipe.jpg")
    assert_one_line(boxfind(*search, tmp_path), tmp_path.name)
    assert_one_line(boxfind(*search, tmp_path / "gone.jpg"), "gone.jpg")


def test_a_bad_picture_in_a_real_process(place, tmp_path: Path):
    (tmp_path / "empty.jpg").touch()
    assert_one_line(in_a_process("search", "--index", place.index, "--image", tmp_path / "empty.jpg"), "empty")


@pytest.mark.parametrize(
    "box", ["1,2,3", "a,b,c,d", "1,2,3,4,5", "nan,0,50,50", "inf,0,50,50", "900,900,50,50", "0,0,3,3"]
)
def test_a_bad_box_is_one_line(place, boxfind, box):
    assert_one_line(boxfind("search", "--index", place.index, "--image", place.gallery / "01.png", "--box", box))


def test_other_requests_that_fail_are_one_line(place, boxfind, tmp_path: Path, monkeypatch):
    picture = place.gallery / "01.png"
    good_search = ("search", "--index", place.index, "--image", picture)
    assert_one_line(boxfind("search", "--index", tmp_path / "gone", "--image", picture), "no index")
    assert_one_line(boxfind(*good_search, "--rank", "bets"), "bets", "there are: best, fast")
    assert_one_line(boxfind("verify", "--index", tmp_path / "gone"), "no index")
    assert_one_line(boxfind("evaluate", "--index", place.index, "--dataset", tmp_path), "queries.csv")
    (tmp_path / "file").touch()
    monkeypatch.setenv("BOXFIND_WORKERS", "0")
    assert_one_line(boxfind(*good_search), "BOXFIND_WORKERS")


def test_a_build_that_fails_is_one_line(place, boxfind, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    build = ("build", "--backbone", "efficientnet-lite0", "--index", tmp_path / "index", "--gallery")
    assert_one_line(boxfind(*build, tmp_path / "gone"), "no gallery folder")
    assert_one_line(boxfind(*build, tmp_path / "empty"), "no picture in")
    for backbone, says in {
        "resnet51": "there are: efficientnet-lite0, resnet50",
        "resnet50": "not on this machine",
    }.items():
        assert_one_line(boxfind(*build, place.gallery, "--backbone", backbone), says)
    assert_one_line(boxfind("build", "--gallery", place.gallery, "--index", tmp_path / "file"), str(tmp_path / "file"))


@pytest.mark.parametrize(
    "args",
    [
        ("search",),
        ("search", "--index", "x", "--image", "y", "--top", "-1"),
        ("search", "--index", "x", "--image", "y", "--top", "many"),
        ("search", "--index", "x", "--image", "y", "--tpo", "1"),
        ("serach",),
        ("batch", "--index", "x"),
        ("verify",),
        ("doctor", "--gallery", "x"),
    ],
)
def test_wrong_usage(boxfind, args):
    result = boxfind(*args)
    assert result.code == 2 and result.out == "" and "Traceback" not in result.err


def test_batch_goes_on_after_a_bad_query(place, boxfind, tmp_path: Path):
    (tmp_path / "queries.csv").write_text(
        "query,image,x,y,w,h\ngood,02.png,0,0,256,192\nbad,gone.png,0,0,9,9\nlast,07.png,0,0,256,192\n"
    )
    args = ("batch", "--index", place.index, "--queries", tmp_path / "queries.csv", "--images", place.gallery)
    result = boxfind(*args, "--out", tmp_path / "hits.csv", "--top", 5)
    assert result.code == 1 and result.out == ""
    problem, sentence = result.err.splitlines()
    assert problem.startswith("bad: There is no file") and sentence.startswith("1 of 3 queries could not be answered")
    with (tmp_path / "hits.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["query", "rank", "image", "score", "x", "y", "w", "h"]
    assert [(row["query"], row["rank"]) for row in rows] == [(q, str(n)) for q in ("good", "last") for n in range(1, 6)]
    assert (rows[0]["image"], rows[5]["image"]) == ("02.png", "07.png")
    (tmp_path / "queries.csv").write_text("query,image,x,y,w,h\ngood,02.png,0,0,256,192\n")
    assert boxfind(*args, "--out", tmp_path / "hits.csv").code == 0


def test_evaluate(place, boxfind, tmp_path: Path):
    (tmp_path / "queries").symlink_to(place.gallery, target_is_directory=True)
    (tmp_path / "queries.csv").write_text("query,image,x,y,w,h\na,02.png,0,0,256,192\nb,03.png,0,0,256,192\n")
    (tmp_path / "relevant.csv").write_text("query,image\na,02.png\nb,03.png\n")
    result = boxfind("evaluate", "--index", place.index, "--dataset", tmp_path, "--json")
    figures = json.loads(result.out)
    assert result.code == 0
    assert figures.keys() >= {"queries", "mAP", "P@1", "P@5", "P@10", "R@10", "R@100", "ms p50", "ms p95"}
    assert figures.keys() >= {"localisation", "objects", "hardest", "per_query"}
    assert (figures["queries"], figures["mAP"], figures["P@10"], figures["R@100"]) == (2, 1, 1, 1)
    plain = boxfind("evaluate", "--index", place.index, "--dataset", tmp_path, "--csv", tmp_path / "rows.csv")
    assert plain.out.splitlines()[1].split()[:3] == ["all", "2", "1.0000"] and "hardest queries" in plain.out
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 3
    wrong = boxfind("evaluate", "--index", place.index, "--dataset", tmp_path, "--format", "cvs")
    assert_one_line(wrong, "csv, folders, revisited")


def test_verify(place, boxfind, build_index, gallery: Path):
    assert boxfind("verify", "--index", place.index) == Result(0, "Nothing is wrong with this index.\n", "")
    generation = build_index(gallery)
    (generation / "vectors.npy").write_bytes(b"")
    result = boxfind("verify", "--index", generation.parent)
    assert result.code == 1 and "vectors.npy" in result.err and "Traceback" not in result.err


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


def options_of(command: str) -> set[str]:
    commands = typer.main.get_command(cli.app).commands
    return {option for parameter in commands[command].params for option in parameter.opts}


def test_the_documented_commands_and_options_exist():
    assert typer.main.get_command(cli.app).commands.keys() == DOCUMENTED.keys()
    for command, options in DOCUMENTED.items():
        assert options <= options_of(command), command


def test_the_commands_in_the_readme_exist():
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("there is no README yet")
    blocks = re.findall(r"^```\w*\n(.*?)^```", readme.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    calls = [line.partition("cli.py")[2] for line in lines if re.search(r"python\S* cli\.py\s+\w", line)]
    assert calls
    for call in calls:
        words = shlex.split(call, comments=True)
        assert words[0] in DOCUMENTED, call
        written = {word.strip("[]").partition("=")[0] for word in words[1:] if word.strip("[]").startswith("--")}
        assert written <= options_of(words[0]), call


def test_the_help_names_every_command(boxfind):
    result = boxfind("--help")
    assert result.code == 0 and all(command in result.out for command in DOCUMENTED)
