"""build and cancel."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from boxfind import builds
from boxfind.commands import build as module
from index.building import build as building
from index.building import jobs
from index.building.cancellation import CANCELLED
from index.building.jobs import BuildState, build_state
from index.storage import publishing
from index.storage.generation import current_folder
from index.storage.manifest import read_manifest
from retrieval.images.file_kinds import PACKAGES
from retrieval.optional_packages import OptionalPackage


def test_build(indexed):
    assert indexed.said.code == 0, indexed.said.err
    counts = read_manifest(current_folder(indexed.index)).counts
    assert re.fullmatch(
        rf"Indexed 12 pictures \({counts.regions} regions\) with efficientnet-lite0, centre whitening, "
        r"in \d+ s; skipped 1\.\n12 new or changed, 0 unchanged, 0 removed\.\n",
        indexed.said.out,
    )
    assert 12 * 9 < counts.regions < 12 * 20  # whole, proposals and two grid levels, without duplicates
    assert "Skipped broken :smile: [red].jpg: broken :smile: [red].jpg is empty (0 bytes).\n" in indexed.said.err
    assert counts.images == 12


def test_build_again_and_in_full(writable_copy, boxfind, draw):
    gallery, index = writable_copy.gallery, writable_copy.index
    build = ("build", "--gallery", gallery, "--index", index, "--backbone", "efficientnet-lite0")
    (gallery / "03.png").unlink()
    Pillow.fromarray(draw(90, 256, 192)).save(gallery / "04.png")
    Pillow.fromarray(draw(91, 256, 192)).save(gallery / "new.png")
    assert boxfind(*build).out.endswith("\n2 new or changed, 10 unchanged, 1 removed.\n")
    again = boxfind(*build)
    assert again.code == 0 and again.out.endswith("\nThe index is already up to date.\n")
    before = current_folder(index)
    full = boxfind(*build, "--full")
    assert full.out.endswith("\n0 new or changed, 12 unchanged (12 read again), 0 removed.\n")
    assert "All 13 pictures are read again: a full build was requested.\n" in full.err
    assert current_folder(index) != before
    assert boxfind("verify", "--index", index).code == 0


def test_what_is_written_is_read_after_the_build_and_found(tmp_path: Path, boxfind, pool, monkeypatch):
    monkeypatch.setenv("BOXFIND_TEXT", "1")
    monkeypatch.setattr(builds, "DecoderPool", lambda *_, **__: nullcontext(pool))
    picture = Pillow.new("RGB", (400, 300), "navy")
    ImageDraw.Draw(picture).text((60, 120), "OPEN DAILY", "white", ImageFont.load_default(40))
    (tmp_path / "gallery").mkdir()
    picture.save(tmp_path / "gallery" / "sign.png")
    index = tmp_path / "index"
    built = boxfind("build", "--gallery", tmp_path / "gallery", "--index", index, "--backbone", "efficientnet-lite0")
    assert built.code == 0 and built.out.endswith("0 removed.\nRead what is written in 1 picture.\n")
    (found,) = json.loads(boxfind("search", "--index", index, "--text", '"open daily"', "--json").out)
    assert (found["image"], found["kind"], found["confidence"]) == ("sign.png", "written", "likely")
    assert found["written"].replace(" ", "") == "OPENDAILY"
    assert boxfind("search", "--index", index, "--text", '"closed"').out == ""
    assert "written: OPEN" in boxfind("search", "--index", index, "--text", "open daily").out
    boxfind("cancel", "--index", index).assert_failed("No build is running")


def test_signal_handlers_are_restored(boxfind, tmp_path: Path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert boxfind("build", "--gallery", tmp_path / "gone", "--index", tmp_path / "index").code == 1
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize(
    ("module", "step", "served"),
    [(publishing, "sync_tree", False), (publishing, "replace_file", True), (building, "remove_journal", True)],
    ids=["before the index is served", "while it becomes served", "after it is served"],
)
def test_r67_what_is_said_is_what_happened(writable_copy, boxfind, draw, monkeypatch, module, step, served):
    gallery, index = writable_copy.gallery, writable_copy.index
    Pillow.fromarray(draw(92, 256, 192)).save(gallery / "new.png")
    before, work = current_folder(index), getattr(module, step)

    def interrupted(*given: object) -> None:
        work(*given)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(module, step, interrupted)
    result = boxfind("build", "--gallery", gallery, "--index", index, "--backbone", "efficientnet-lite0")
    assert (current_folder(index) != before) == served
    assert current_folder(index).is_dir() and build_state(index).state == ("done" if served else "cancelled")
    if served:
        assert result.code == 0 and result.out.endswith("\n1 new or changed, 12 unchanged, 0 removed.\n")
    else:
        result.assert_failed(CANCELLED)


@pytest.mark.parametrize(
    ("state", "code", "said"),
    [
        ("cancelled", 0, CANCELLED),
        ("done", 1, "The build was finished before it could be cancelled; its index is served."),
        ("failed", 1, "The build has failed: The disk is full."),
    ],
)
def test_r67_cancel_waits_and_says_what_happened(boxfind, tmp_path: Path, monkeypatch, state, code, said):
    running = BuildState(state="running", id="ours", pid=1, started=0, stage_started=0, now=0)
    message = {"cancelled": CANCELLED, "failed": "The disk is full."}.get(state, "")
    states = iter([running, running, running.model_copy(update={"state": state, "message": message})])
    monkeypatch.setattr(jobs, "build_state", lambda _: next(states))
    result = boxfind("cancel", "--index", tmp_path)
    assert result.code == code and (result.out + result.err).splitlines() == (
        [said, "Cancelling…"] if code == 0 else ["Cancelling…", said]
    )
    assert (tmp_path / "build.cancel").read_text() == "ours"


def test_a_build_that_fails_is_one_line(indexed, boxfind, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    build = ("build", "--backbone", "efficientnet-lite0", "--index", tmp_path / "index", "--gallery")
    boxfind(*build, tmp_path / "gone").assert_failed("does not exist")
    boxfind(*build, tmp_path / "empty").assert_failed("no pictures in")
    for backbone, says in {
        "resnet51": "choose from: auto, clip-rn50, efficientnet-b0",
        "resnet50": "not on this machine",
    }.items():
        boxfind(*build, indexed.gallery, "--backbone", backbone).assert_failed(says)
    boxfind(*build, indexed.gallery, "--engine", "spark").assert_failed(
        "--engine cannot be 'spark'", "'local' or 'ray'"
    )
    boxfind("build", "--gallery", indexed.gallery, "--index", tmp_path / "file").assert_failed(str(tmp_path / "file"))


def test_r60_r65_the_summary_counts_what_is_not_read_and_names_what_is_left_out(
    gallery: Path, build_index, capsys, monkeypatch
):
    for name, count in (("PSD", 8), ("svg", 2), ("mp4", 1)):
        for number in range(count):
            (gallery / f"{number}.{name}").write_bytes(b"8BPS")
    monkeypatch.setitem(PACKAGES, "video", OptionalPackage("av", "no_such_module", "video"))
    for number in range(3):
        (gallery / f"empty{number}.jpg").touch()
    (gallery / "@eaDir").mkdir()
    monkeypatch.setattr(module, "LISTED", 2)
    module._report(build_index(gallery), 1, True)
    said = capsys.readouterr()
    assert said.err == (
        "Skipped empty0.jpg: empty0.jpg is empty (0 bytes).\n"
        "Skipped empty1.jpg: empty1.jpg is empty (0 bytes).\n"
        "Skipped 1 more file. `boxfind skipped` lists all.\n"
        "Skipped pictures in formats that Boxfind cannot read yet: 8 Photoshop, 2 SVG. Convert them to JPEG. "
        "`boxfind skipped` lists all.\n"
        '1 file needs the package av; run `pip install -e ".[video]"` in the Boxfind folder.\n'
        "Left out: 1 system folder (@eaDir).\n"
    )
    assert "skipped 14." in said.out


def test_r69_a_path_that_is_not_utf8_is_refused_before_any_work(boxfind, tmp_path: Path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    Pillow.new("RGB", (64, 64)).save(folder / "a.png")
    boxfind("build", "--gallery", folder, "--index", tmp_path / "index").assert_failed("--gallery", "UTF-8")
    boxfind("build", "--gallery", tmp_path, "--index", folder).assert_failed("--index", "UTF-8")
    boxfind("verify", "--index", folder).assert_failed("--index", "UTF-8")
    out = folder / "head.safetensors"
    boxfind("finetune", "--labels", tmp_path, "--gallery", tmp_path, "--out", out).assert_failed("--out", "UTF-8")
    assert not (tmp_path / "index").exists() and [path.name for path in folder.iterdir()] == ["a.png"]


def test_r69_names_that_the_terminal_cannot_show_are_escaped(tmp_path: Path):
    code = (
        "import sys; from boxfind.commands import main; "
        "main.command_line = lambda: print('caf\\xe9 \\udcff'); main.main()"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "caf\\xe9 \\udcff\n", "")
