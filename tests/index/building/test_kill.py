"""A build that is killed at any step leaves a complete index, and the next build succeeds."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image as Pillow

from index.building.build import build
from index.building.thread_executor import ThreadExecutor
from index.gallery import open_gallery
from index.operations.verify import verify
from index.storage.generation import current_folder, generations
from tests.builder import STEPS
from tests.tiny import TINY_EMBEDDER

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("step", STEPS)
def test_r35_kill_at_each_step(gallery: Path, build_index, tmp_path: Path, draw, pool, step: str):
    before = build_index(gallery)
    Pillow.fromarray(draw(50)).save(gallery / "new.png")
    command = [sys.executable, "-m", "tests.builder", str(gallery), str(before.parent), step]
    assert subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL).returncode == -signal.SIGKILL
    served = current_folder(before.parent)
    assert (served == before) == (step != "after CURRENT was replaced")
    assert verify(before.parent) == []
    after = build(gallery, before.parent, ThreadExecutor(TINY_EMBEDDER, pool), lambda *_: None)
    assert "new.png" in open_gallery(after).tables.ids and verify(before.parent) == []
    assert not list(before.parent.glob("tmp-*")) and len(generations(before.parent)) == 2


def test_r35_kill_in_the_first_build(gallery: Path, tmp_path: Path, pool):
    index_dir = tmp_path / "index"
    command = [sys.executable, "-m", "tests.builder", str(gallery), str(index_dir), "after the folder was renamed"]
    assert subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL).returncode == -signal.SIGKILL
    build(gallery, index_dir, ThreadExecutor(TINY_EMBEDDER, pool), lambda *_: None)
    assert verify(index_dir) == []
