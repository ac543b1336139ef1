"""`explain` gives the right verdict for every kind of path."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest
from PIL import Image as Pillow

from index.operations.explain import explain
from index.storage.gallery_rules import GalleryRules
from retrieval.errors import IndexProblem
from tests.documents import archive, encoded


@pytest.fixture
def index(gallery: Path, build_index, tmp_path: Path, draw) -> Path:
    """An index of eight images and four unusable files."""
    (gallery / "empty.jpg").touch()
    (gallery / ".hidden").mkdir()
    (gallery / ".hidden" / "a.png").touch()
    (gallery / "notes.txt").touch()
    (gallery / "nowhere.png").symlink_to("gone.png")
    Pillow.fromarray(draw(80)).save(gallery / "e\u0301.png")
    (tmp_path / "elsewhere").mkdir()
    Pillow.fromarray(draw(81)).save(tmp_path / "elsewhere" / "a.png")
    (gallery / "linked").symlink_to(tmp_path / "elsewhere")
    return build_index(gallery).parent


def said(index: Path, asked: str | Path) -> tuple[str, str]:
    explanation = explain(index, str(asked))
    assert all(sentence.endswith(".") and "\n" not in sentence for sentence in explanation.sentences)
    return explanation.verdict, " ".join(explanation.sentences)


def test_indexed_by_id_and_by_path(index: Path, gallery: Path, tmp_path: Path, monkeypatch):
    (tmp_path / "link").symlink_to(gallery)
    monkeypatch.chdir(gallery / "below")
    for asked in (
        *("below/6.png", "./below/6.png", "6.png", "../below/6.png"),
        *(gallery / "below" / "6.png", tmp_path / "link" / "below" / "6.png"),
    ):
        explanation = explain(index, str(asked))
        assert (explanation.verdict, explanation.image) == ("indexed", "below/6.png"), asked
    first = explanation.sentences[0]
    assert "128 x 96 pixels" in first and f"{len(explanation.regions)} regions (1 whole, " in first
    assert [region.kind for region in explanation.regions].count("whole") == 1
    json.dumps(asdict(explanation))
    for asked in ("é.png", "e\u0301.png", gallery / "e\u0301.png"):
        assert explain(index, str(asked)).image == "é.png"


def test_a_changed_or_deleted_file(index: Path, gallery: Path, draw, tmp_path: Path):
    os.utime(gallery / "2.png", (1e9, 1e9))
    assert said(index, "2.png")[0] == "indexed"
    Pillow.fromarray(draw(90)).save(gallery / "2.png")
    verdict, text = said(index, "2.png")
    assert verdict == "changed" and "changed since" in text and "Update the index" in text
    (gallery / "3.png").unlink()
    verdict, text = said(index, gallery / "3.png")
    assert verdict == "gone" and "no longer in" in text
    gallery.rename(tmp_path / "away")
    verdict, text = said(index, "4.png")
    assert verdict == "gone" and f"{gallery} does not exist" in text


def test_a_skipped_file(index: Path, gallery: Path):
    verdict, text = said(index, "empty.jpg")
    assert verdict == "skipped" and "empty (0 bytes)" in text and "not changed since" in text
    (gallery / "empty.jpg").write_bytes((gallery / "1.png").read_bytes())
    verdict, text = said(index, gallery / "empty.jpg")
    assert verdict == "skipped" and "has changed since" in text and "Update the index" in text
    assert said(index, "nowhere.png") == ("skipped", "nowhere.png cannot be used: nowhere.png is a broken link.")
    verdict, text = said(index, "linked/a.png")
    assert verdict == "skipped" and "linked is a link to a folder outside the gallery" in text


def test_not_in_the_index_yet(index: Path, gallery: Path, draw):
    Pillow.fromarray(draw(91)).save(gallery / "new.png")
    verdict, text = said(index, "new.png")
    assert verdict == "new" and "after the index was built" in text and "Update the index" in text
    (gallery / "new.fifo.png").symlink_to("/dev/null")
    assert said(index, "new.fifo.png")[0] == "skipped"


def test_files_that_are_never_indexed(index: Path, gallery: Path):
    assert said(index, ".hidden/a.png")[0] == "hidden"
    verdict, text = said(index, "notes.txt")
    assert verdict == "no picture" and ".jpeg" in text
    assert said(index, "below")[0] == "folder"


def test_what_is_left_out(index: Path, gallery: Path):
    for folder, why in (
        ("@eaDir", "another program"),
        ("private", "contains a file .nomedia"),
        ("drafts", "a pattern"),
    ):
        (gallery / folder).mkdir()
        (gallery / folder / "a.png").write_bytes((gallery / "1.png").read_bytes())
        if folder == "private":
            (gallery / folder / ".nomedia").touch()
        explanation = explain(index, f"{folder}/a.png", GalleryRules(("drafts/",)))
        assert explanation.verdict == "left out" and why in explanation.sentences[0]


def test_r65_an_indexed_picture_that_the_next_update_leaves_out(index: Path, gallery: Path):
    for rules, why in (
        (GalleryRules(min_side=97), "its shorter side is below BOXFIND_MIN_SIDE, 97 pixels"),
        (GalleryRules(("below/",)), "a pattern in BOXFIND_IGNORE or in a file .boxfindignore matches below"),
    ):
        explanation = explain(index, "below/6.png", rules)
        assert explanation.verdict == "indexed"
        assert f"The next update leaves it out: {why}." in explanation.sentences
    assert "next update leaves" not in said(index, "below/6.png")[1]


def test_r65_a_picture_of_one_pixel_has_nothing_to_do_with_the_smallest_side(gallery: Path, build_index):
    Pillow.new("RGB", (1, 1)).save(gallery / "dot.png")
    explanation = explain(build_index(gallery).parent, "dot.png", GalleryRules(min_side=50))
    assert explanation.verdict == "skipped" and explanation.sentences[-1] == "The file has not changed since."


def test_a_file_outside_the_gallery(index: Path, gallery: Path, tmp_path: Path, draw):
    verdict, text = said(index, tmp_path / "elsewhere" / "a.png")
    assert verdict == "outside" and str(gallery) in text and "same picture" not in text
    (tmp_path / "copy.png").write_bytes((gallery / "below" / "7.png").read_bytes())
    assert "The same picture is indexed as below/7.png." in said(index, tmp_path / "copy.png")[1]
    assert said(index, tmp_path)[0] == "outside"


def test_a_missing_file(index: Path):
    verdict, text = said(index, "holiday/7.PNG")
    assert verdict == "missing" and text.endswith("Similar names in the index: below/7.png.")
    verdict, text = said(index, "belo/6.pgn")
    assert verdict == "missing" and "below/6.png" in text
    for asked in ("zzzzzzzzzzz", "", ".", "..", "/", "x" * 5000, "line\nbreak.png", "é\udcff.png"):
        verdict, text = said(index, asked)
        assert verdict in ("missing", "outside", "folder"), asked


def test_explain_without_an_index(tmp_path: Path):
    with pytest.raises(IndexProblem, match="no index"):
        explain(tmp_path, "a.png")


def test_without_outside_nothing_outside_the_gallery_is_looked_at(index: Path, gallery: Path, tmp_path: Path):
    for asked in (tmp_path / "elsewhere" / "a.png", "../elsewhere/a.png", gallery / ".." / "elsewhere" / "a.png"):
        explanation = explain(index, str(asked), outside=False)
        assert explanation.verdict == "missing" and explanation.sentences[0].startswith("There is no file ")
    assert explain(index, str(gallery / "below" / "6.png"), outside=False).verdict == "indexed"


def test_pages_of_a_document(gallery: Path, build_index, draw):
    good = encoded(draw(1), "PNG")
    (gallery / "book.cbz").write_bytes(archive({"1.png": good, "2.png": b"x", "3.png": encoded(draw(2), "PNG")}))
    index = build_index(gallery).parent
    verdict, text = said(index, "book.cbz#page=3")
    assert verdict == "indexed" and text.startswith("book.cbz#page=3 is in the index")
    assert "Its file holds 2 pictures of the index; skipped: 1." in text
    assert explain(index, "book.cbz").image == "book.cbz#page=1"
    verdict, text = said(index, "book.cbz#page=2")
    assert verdict == "skipped" and "book.cbz/2.png is not a picture" in text and "if its file has changed" in text
    verdict, text = said(index, "book.cbz#page=9")
    assert verdict == "missing" and "Similar names in the index: book.cbz#page=3, book.cbz#page=1" in text
    (gallery / "book.cbz").unlink()
    assert said(index, "book.cbz#page=1")[0] == "gone"


def test_files_that_show_the_same_as_another_one(gallery: Path, build_index):
    for name in ("0.HEIC", "0.MOV", "1.jpg", "1.nef"):
        (gallery / name).touch()
    index = build_index(gallery).parent
    assert said(index, "0.MOV")[0] == "left out" and "film of a Live Photo" in said(index, "0.MOV")[1]
    assert said(index, "1.nef")[0] == "left out" and "a JPEG of the same name" in said(index, "1.nef")[1]
