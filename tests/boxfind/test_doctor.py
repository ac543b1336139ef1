"""The doctor reports what is installed and never raises for what is missing."""

import platform
from dataclasses import asdict
from pathlib import Path

import numpy
import pytest
import torch

from boxfind.doctor import PACKAGES, examine
from boxfind.settings import BadSetting, Settings
from retrieval.images.file_kinds import PACKAGES as PACKAGES_OF_FORMATS
from retrieval.networks.runtimes import choose_runtime
from retrieval.networks.weights import download_folder
from retrieval.optional_packages import OptionalPackage


def test_r45_what_is_installed_here():
    found = examine(Settings.load())
    assert found.python == platform.python_version()
    assert found.packages["numpy"] == numpy.__version__ and found.packages["torch"] == torch.__version__
    assert found.packages.keys() == set(PACKAGES)
    assert found.torchvision.split()[0] in ("healthy", "repaired", "missing")
    assert found.descriptions.startswith("ready")
    assert found.offline and found.gallery == "sample gallery"
    assert found.device and found.precision == choose_runtime()[1]
    assert Path(found.weights["efficientnet-lite0"]).is_file()
    assert found.weights["resnet50"] == "missing or damaged"


def test_which_formats_are_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(PACKAGES_OF_FORMATS, "video", OptionalPackage("av", "no_such_module", "video"))
    formats = examine(Settings.load()).formats
    assert formats["PDF"] == "read"
    assert formats["video"].startswith('needs the package av; run `pip install -e ".[video]"`')


def test_the_index(gallery: Path, build_index, tmp_path: Path):
    folder = build_index(gallery)
    found = examine(Settings.load(gallery=gallery, index=folder.parent))
    assert found.gallery == str(gallery)
    assert found.index.startswith(f"{folder.name}: 8 pictures, ") and "efficientnet-lite0 float32" in found.index
    assert found.written_text == "not read (BOXFIND_TEXT=0)"
    assert examine(Settings.load(index=folder.parent, text=True)).written_text == "0 pictures read"
    (folder.parent / "written-text.sqlite").write_bytes(b"damaged" * 1000)
    assert "damaged" in examine(Settings.load(index=folder.parent, text=True)).written_text
    (folder / "manifest.json").write_text("{")
    assert "no readable manifest" in examine(Settings.load(index=folder.parent)).index
    assert "no index" in examine(Settings.load(index=tmp_path / "gone")).index


def test_r96_a_gallery_folder_that_was_renamed_is_named(gallery: Path, build_index, tmp_path: Path):
    folder = build_index(gallery)
    gallery.rename(tmp_path / "renamed")
    said = examine(Settings.load(gallery=gallery, index=folder.parent)).gallery
    assert said.startswith(
        f"{gallery} is not there, or is empty. The same pictures are in {tmp_path / 'renamed'}: run "
    )
    assert f"--gallery {tmp_path / 'renamed'} --index {folder.parent};" in said
    (tmp_path / "renamed").rename(tmp_path / ".hidden")
    said = examine(Settings.load(gallery=gallery, index=folder.parent)).gallery
    assert said == f"{gallery} is not there, or is empty."


def test_damaged_weights_are_reported():
    download_folder().mkdir(parents=True, exist_ok=True)
    half = download_folder() / "resnet50-11ad3fa6.pth"
    half.write_bytes(b"half")
    try:
        assert examine(Settings.load()).weights["resnet50"] == "missing or damaged"
    finally:
        half.unlink()


def test_examining_changes_nothing(tmp_path: Path):
    before = set(tmp_path.rglob("*"))
    settings = Settings.load(data=tmp_path / "data", index=tmp_path / "index")
    assert asdict(examine(settings)) == asdict(examine(settings))
    assert set(tmp_path.rglob("*")) == before


def test_an_unknown_runtime_is_refused():
    with pytest.raises(BadSetting, match="choose from"):
        examine(Settings.load(runtime="opencl"))
