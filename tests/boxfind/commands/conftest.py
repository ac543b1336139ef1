"""The command line, in this process and as a subprocess, and an index built with it."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image as Pillow

import cli
from index.building import jobs

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    def assert_failed(self, *words: str) -> None:
        """Assert that the exit code is 1 and standard error is one message that contains these words."""
        assert self.code == 1 and self.out == "", self
        assert self.err.count("\n") == 1 and "Traceback" not in self.err and self.err.endswith(".\n"), self.err
        assert all(word in self.err for word in words), self.err


@dataclass(frozen=True)
class IndexedGallery:
    """A gallery of twelve pictures and a broken one, indexed with the bundled network; read-only."""

    gallery: Path
    index: Path
    said: Result


@pytest.fixture(scope="session")
def start() -> Callable[..., subprocess.Popen]:
    """Start the command line as a subprocess."""

    def started(*args: object) -> subprocess.Popen:
        command = [sys.executable, str(ROOT / "cli.py"), *map(str, args)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return started


@pytest.fixture(scope="session")
def run_subprocess(start) -> Callable[..., Result]:
    def run(*args: object) -> Result:
        with start(*args) as process:
            out, err = process.communicate(timeout=200)
        return Result(process.returncode, out, err)

    return run


@pytest.fixture
def boxfind(monkeypatch, capsys, shared_pool) -> Callable[..., Result]:
    """Run the command line in this process."""
    monkeypatch.setattr(jobs, "yield_to_others", lambda: None)  # lowering the priority could not be undone

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


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory, draw, run_subprocess) -> IndexedGallery:
    folder = tmp_path_factory.mktemp("cli")
    (folder / "gallery").mkdir()
    for number in range(12):
        Pillow.fromarray(draw(number, 256, 192)).save(folder / "gallery" / f"{number:02d}.png")
    (folder / "gallery" / "broken :smile: [red].jpg").write_bytes(b"")
    said = run_subprocess(
        *("build", "--gallery", folder / "gallery", "--index", folder / "index", "--backbone", "efficientnet-lite0")
    )
    return IndexedGallery(folder / "gallery", folder / "index", said)


@pytest.fixture
def writable_copy(indexed, tmp_path: Path) -> IndexedGallery:
    """A writable copy of the gallery and the index."""
    shutil.copytree(indexed.gallery, tmp_path / "gallery")
    shutil.copytree(indexed.index, tmp_path / "index")
    return replace(indexed, gallery=tmp_path / "gallery", index=tmp_path / "index")
