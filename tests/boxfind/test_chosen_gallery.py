"""The gallery that was chosen on the page, across restarts."""

from pathlib import Path

import pytest

from boxfind.chosen_gallery import FILE, chosen_gallery, keep_choice
from boxfind.settings import Settings


def test_a_choice_is_kept_until_the_sample_gallery_is_chosen(tmp_path: Path) -> None:
    data, pictures = tmp_path / "data", tmp_path / "Büro photos"
    assert chosen_gallery(data) is None
    keep_choice(data, pictures)
    assert chosen_gallery(data) == pictures and [file.name for file in data.iterdir()] == [FILE]
    keep_choice(data, None)
    keep_choice(data, None)
    assert chosen_gallery(data) is None


@pytest.mark.parametrize("contents", [b"", b"{", b"[]", b'{"folder": 7}', b'{"other": "x"}', b"\xff"])
def test_a_damaged_file_counts_as_no_choice(tmp_path: Path, contents: bytes) -> None:
    (tmp_path / FILE).write_bytes(contents)
    assert chosen_gallery(tmp_path) is None


def test_the_choice_is_used_when_neither_gallery_nor_index_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOXFIND_DATA", str(tmp_path))
    assert Settings.load().is_sample
    keep_choice(tmp_path, tmp_path / "mine")
    settings = Settings.load()
    assert not settings.is_sample and settings.gallery_dir == tmp_path / "mine"
    assert settings.index_dir == Settings.load(gallery=tmp_path / "mine").index_dir
    assert Settings.load(gallery=tmp_path / "other").gallery_dir == tmp_path / "other"
    assert Settings.load(index=tmp_path / "index").is_sample
    monkeypatch.setenv("BOXFIND_GALLERY", str(tmp_path / "named"))
    assert Settings.load().gallery_dir == tmp_path / "named"
