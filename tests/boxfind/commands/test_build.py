"""build and cancel."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from index.building.jobs import build_state
from index.storage.generation import current_folder, read_manifest


@pytest.fixture
def other(place, tmp_path: Path) -> Any:
    """A writable copy of the gallery and the index."""
    shutil.copytree(place.gallery, tmp_path / "gallery")
    shutil.copytree(place.index, tmp_path / "index")
    return replace(place, gallery=tmp_path / "gallery", index=tmp_path / "index")


def test_build(place):
    assert place.said.code == 0, place.said.err
    counts = read_manifest(current_folder(place.index)).counts
    assert re.fullmatch(
        rf"Indexed 12 pictures \({counts.regions} regions\) with efficientnet-lite0, centre whitening, "
        r"in \d+ s; skipped 1\.\n12 new or changed, 0 unchanged, 0 removed\.\n",
        place.said.out,
    )
    assert 12 * 9 < counts.regions < 12 * 20  # whole, proposals and two grid levels, without duplicates
    assert "Skipped broken :smile: [red].jpg: broken :smile: [red].jpg is empty (0 bytes).\n" in place.said.err
    assert counts.images == 12


def test_build_again_and_in_full(other, boxfind, draw):
    build = ("build", "--gallery", other.gallery, "--index", other.index, "--backbone", "efficientnet-lite0")
    (other.gallery / "03.png").unlink()
    Pillow.fromarray(draw(90, 256, 192)).save(other.gallery / "04.png")
    Pillow.fromarray(draw(91, 256, 192)).save(other.gallery / "new.png")
    assert boxfind(*build).out.endswith("\n2 new or changed, 10 unchanged, 1 removed.\n")
    again = boxfind(*build)
    assert again.code == 0 and again.out.endswith("\nThe index is already up to date.\n")
    before = current_folder(other.index)
    full = boxfind(*build, "--full")
    assert full.out.endswith("\n0 new or changed, 12 unchanged, 0 removed.\n")
    assert "All 13 pictures are read again: a full build was requested.\n" in full.err
    assert current_folder(other.index) != before
    assert boxfind("verify", "--index", other.index).code == 0


def by_signal(number: int) -> Callable[..., None]:
    return lambda process, *_: process.send_signal(number)


def by_command(process: subprocess.Popen, index: Path, boxfind: Callable[..., Any]) -> None:
    result = boxfind("cancel", "--index", index)
    assert result.code == 0 and f"(process {process.pid}) will stop" in result.out


@pytest.mark.parametrize(
    "stop", [by_signal(signal.SIGINT), by_signal(signal.SIGTERM), by_command], ids=["ctrl-c", "kill", "cancel"]
)
def test_r36_a_build_that_is_stopped_keeps_what_was_done(other, boxfind, start, draw, stop):
    before = current_folder(other.index)
    for number in range(40):
        Pillow.fromarray(draw(100 + number, 640, 480)).save(other.gallery / f"more-{number}.png")
    build = ("build", "--gallery", other.gallery, "--index", other.index, "--backbone", "efficientnet-lite0")
    with start(*build) as process:
        while (state := build_state(other.index)) is None or state.pid != process.pid or state.done < 2:
            assert process.poll() is None
            time.sleep(0.05)
        began = time.monotonic()
        stop(process, other.index, boxfind)
        out, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 30
    notice, _, err = err.partition("\n")
    assert notice.startswith("All 53 pictures are read again: the whitening was learned from 12 pictures")
    assert replace(other.said, code=process.returncode, out=out, err=err).failed(
        "Cancelled. Finished work is kept", "continues from there"
    )
    assert build_state(other.index).state == "cancelled" and current_folder(other.index) == before
    assert (
        not list(other.index.glob("tmp-*"))
        and boxfind("search", "--index", other.index, "--image", before.parent.parent / "gallery" / "01.png").code == 0
    )
    assert boxfind("cancel", "--index", other.index).failed("No build is running")


def test_signal_handlers_are_restored(boxfind, tmp_path: Path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert boxfind("build", "--gallery", tmp_path / "gone", "--index", tmp_path / "index").code == 1
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_build_that_fails_is_one_line(place, boxfind, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    build = ("build", "--backbone", "efficientnet-lite0", "--index", tmp_path / "index", "--gallery")
    assert boxfind(*build, tmp_path / "gone").failed("does not exist")
    assert boxfind(*build, tmp_path / "empty").failed("no pictures in")
    for backbone, says in {
        "resnet51": "choose from: auto, clip-rn50, efficientnet-b0",
        "resnet50": "not on this machine",
    }.items():
        assert boxfind(*build, place.gallery, "--backbone", backbone).failed(says)
    assert boxfind(*build, place.gallery, "--engine", "spark").failed("--engine cannot be 'spark'", "'local' or 'ray'")
    assert boxfind("build", "--gallery", place.gallery, "--index", tmp_path / "file").failed(str(tmp_path / "file"))
