"""build and cancel."""

import re
import signal
from pathlib import Path

from PIL import Image as Pillow

from index.storage.generation import current_folder
from index.storage.manifest import read_manifest


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
    assert full.out.endswith("\n0 new or changed, 12 unchanged, 0 removed.\n")
    assert "All 13 pictures are read again: a full build was requested.\n" in full.err
    assert current_folder(index) != before
    assert boxfind("verify", "--index", index).code == 0


def test_signal_handlers_are_restored(boxfind, tmp_path: Path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert boxfind("build", "--gallery", tmp_path / "gone", "--index", tmp_path / "index").code == 1
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


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
