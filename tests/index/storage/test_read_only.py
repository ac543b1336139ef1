"""A read-only index can be searched, and a build of it fails with a clear message."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SEARCH = """
import sys
from pathlib import Path
from index.gallery import open_gallery
from index.storage.generation import current_folder
from index.building.jobs import build_state
from retrieval.images.decode import load_image
from retrieval.search import search
from retrieval.types import Box
from tests.tiny import TINY_EMBEDDER
index = Path(sys.argv[1])
try:
    (index / "x").touch()
except PermissionError:
    gallery = open_gallery(current_folder(index))
    picture = load_image(Path(sys.argv[2]))
    query = TINY_EMBEDDER.query(picture, Box.whole(picture), gallery.whitening)
    print(build_state(index).state, search(query, gallery, "best")[0].image)
"""


@pytest.fixture
def read_only(gallery: Path, build_index) -> Iterator[Path]:
    """A read-only copy of gallery and index, readable by everyone."""
    index = build_index(gallery).parent
    (index / "build.lock").touch()
    state = '{"state": "running", "pid": 1, "started": 1, "stage_started": 1, "now": 1}'
    (index / "build.json").write_text(state)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(index, Path(folder) / "index")
        shutil.copytree(gallery, Path(folder) / "gallery")
        for path in [Path(folder), *Path(folder).rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield Path(folder)
        for path in [Path(folder), *Path(folder).rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run without root's privileges, so that permissions apply."""
    command = [sys.executable, "-B", *map(str, arguments)]
    if os.getuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may write everywhere, and cannot be kept from it here")
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
    place = os.environ | {"HOME": "/nonexistent", "BOXFIND_OFFLINE": "1", "BOXFIND_DATA": "/nonexistent"}
    return subprocess.run(command, cwd=ROOT, env=place, capture_output=True, text=True, timeout=120)


def test_r38_a_read_only_index_is_searched(read_only: Path):
    done = run("-c", SEARCH, read_only / "index", read_only / "gallery" / "3.png")
    assert done.stdout.split() == ["failed", "3.png"], done.stderr


def test_r38_a_build_of_a_read_only_index_says_so(read_only: Path):
    done = run("cli.py", "build", "--gallery", read_only / "gallery", "--index", read_only / "index")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "index" in done.stderr and "ermission denied" in done.stderr
