"""Hostile or broken input: file names, page addresses, canvas drawings and missing files."""

import base64
import io
import logging
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from boxfind.engine import Engine
from boxfind.settings import Settings
from boxfind.ui.widgets.safe_text import WORD_JOINER
from boxfind.ui.widgets.thumbnail import thumbnail_of
from index.gallery import Gallery
from retrieval.errors import IndexProblem
from retrieval.types import Box
from tests.boxfind.ui.reading import (
    APP,
    HEIGHT,
    WIDTH,
    alts,
    calm,
    choose,
    draw,
    on_canvas,
    pick,
    put_on_canvas,
    shown_name,
    texts,
    tiles_of,
)


def broken(*given: object) -> None:
    raise RuntimeError("cannot open /srv/secret/key.pem")


def plainly(app: AppTest, kind: str) -> str:
    return texts(app, kind).replace("\\", "").replace(WORD_JOINER, "")


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("../../etc/passwd.jpg", "../../etc/passwd.jpg"),
        ("C:\\x.jpg", "C:x.jpg"),
        ("<script>alert(1)</script>.jpg", "<script>alert(1)</script>.jpg"),
        ("![x](http://example.org/y.png).jpg", "![x](http://example.org/y.png).jpg"),
        ("a" * 5000 + ".jpg", "a" * 50 + "…" + "a" * 21 + ".jpg"),
        ("\u202egpj.exe.jpg", "\ufffdgpj.exe.jpg"),
        ("two\n\n# lines.jpg", "two\ufffd\ufffd# lines.jpg"),
    ],
)
def test_r22_upload_names_are_shown_as_plain_text(app: AppTest, pictures: Path, name: str, seen: str) -> None:
    app.run()
    app.file_uploader(key="upload 0").set_value((name, (pictures / "02.png").read_bytes(), "image/jpeg"))
    app.run()
    assert calm(app)
    assert f"{seen}, {WIDTH} x {HEIGHT} pixels" in plainly(app, "caption")
    assert "<script>" not in texts(app, "caption")


def test_r22_a_name_with_a_zero_byte_is_rejected(app: AppTest, pictures: Path) -> None:
    app.run()
    app.file_uploader(key="upload 0").set_value(("x\0.jpg", (pictures / "02.png").read_bytes(), "image/jpeg"))
    app.run()
    assert "picture" not in app.session_state
    (shown,) = app.exception
    assert "null" not in shown.value and not list(shown.stack_trace)


@pytest.mark.parametrize("name", ["setup.exe", "page.html", "cup.jpg.svg", "noextension"])
def test_r23_the_server_rejects_other_extensions(app: AppTest, pictures: Path, name: str) -> None:
    app.run()
    app.file_uploader(key="upload 0").set_value((name, (pictures / "02.png").read_bytes(), "image/png"))
    app.run()
    assert "picture" not in app.session_state


def test_r23_uploaded_bytes_are_never_served_as_they_are(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is both a picture and a script; the canvas gets a JPEG made from its pixels."""
    file = io.BytesIO()
    Pillow.new("P", (64, 48), 3).save(file, "GIF")
    (tmp_path / "both.gif").write_bytes(file.getvalue() + b"/*<script>alert(1)</script>*/")
    choose(app, tmp_path / "both.gif")
    monkeypatch.setattr("boxfind.ui.widgets.media_address.runtime.exists", lambda: False)  # so that it is in the page
    app.run()
    assert calm(app)
    served = base64.b64decode(on_canvas(app)["address"].removeprefix("data:image/jpeg;base64,"))
    assert served.startswith(b"\xff\xd8\xff") and b"script" not in served


CRAZY = ["../../x", "nan", "1e9", "-5", "0", "99999999999999999999", "", "2,3", "x" * 10**6]


def test_r25_an_invalid_page_number_in_the_address_shows_the_first_page(
    app: AppTest, tmp_path: Path, draw: Any, build_index: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(41):
        Pillow.fromarray(draw(number)).save(folder / f"{number:02d}.png")
    build_index(folder)
    monkeypatch.setenv("BOXFIND_GALLERY", str(folder))
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path / "index"))
    for value, seen in [("2", 1)] + [(crazy, 40) for crazy in CRAZY]:
        visit = AppTest.from_file(str(APP), default_timeout=60)
        visit.query_params = {"gallery page": value, "id": "../../etc/passwd", "box": "nan,1e9,-5,0"}
        visit.run()
        visit.switch_page("pages/gallery.py").run()
        assert calm(visit) and len(alts(visit, "gallery")) == seen


@pytest.mark.parametrize(
    "edit",
    [
        {"picture": "shown", "boxes": [[math.nan, 0, 90, 90]], "edit": 1},
        {"picture": "shown", "boxes": [["<b>", None, [], {}]], "edit": "<b>"},
        {"picture": "shown", "boxes": [[-1e9, -1e9, 9, 9]] * 10_000, "edit": 1},
        {"picture": "shown", "boxes": [[100, 100, 103, 300]], "edit": 1},
        {"picture": "../../x", "boxes": [[0, 0, 90, 90]], "edit": 1},
        {"picture": "shown", "boxes": "boxes"},
        {"picture": "shown", "boxes": None},
        {"picture": "shown"},
        {},
        [],
        "edit",
        7,
    ],
)
def test_r26_invalid_edits_change_nothing(app: AppTest, pictures: Path, edit: object) -> None:
    choose(app, pictures / "03.png", Box(10, 10, 200, 150))
    app.run()
    if isinstance(edit, dict) and edit.get("picture") == "shown":
        edit = edit | {"picture": on_canvas(app)["picture"]}
    put_on_canvas(app, edit)
    assert calm(app) and len(alts(app)) == 12
    assert app.session_state["search"].boxes == [Box(10, 10, 200, 150)]


def test_r27_a_box_beyond_the_picture_ends_at_its_border(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "03.png")
    app.run()
    draw(app, Box(-1000, 10, 10**15, 100))
    assert calm(app) and app.session_state["search"].boxes == [Box(0, 10, WIDTH, 100)]


def test_r20_deleted_pictures_are_found_and_searched_with_by_their_thumbnails(
    app: AppTest, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = shutil.copytree(pictures, tmp_path / "gone")
    Engine(Settings.load(gallery=gone, index=tmp_path / "index")).builds.build(lambda *_: None)
    shutil.rmtree(gone)
    monkeypatch.setenv("BOXFIND_GALLERY", str(gone))
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path / "index"))
    choose(app, pictures / "03.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    assert calm(app)
    assert alts(app)[0].startswith("Rank 1: 03.png, likely match")
    pick(app, "results", "search", "03.png")
    assert calm(app) and alts(app)[0].startswith("Rank 1: 03.png, likely match")
    said = plainly(app, "caption")
    assert "The drive with this folder is not connected. Searching with the thumbnail" in said and str(gone) not in said
    app.switch_page("pages/gallery.py").run()
    assert calm(app) and len(alts(app, "gallery")) == 12


def test_r20_a_deleted_index_shows_placeholders(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(gallery: Gallery, image: str) -> bytes:
        raise IndexProblem("The index has been rebuilt since.")

    gallery = Engine(Settings.load(index=index)).gallery()
    monkeypatch.setattr(Gallery, "thumbnail", gone)
    with Pillow.open(io.BytesIO(thumbnail_of(gallery, "03.png"))) as picture:
        assert np.ptp(np.asarray(picture)) == 0


def test_r17_special_characters_in_names_are_shown_unchanged(
    app: AppTest, tmp_path: Path, draw: Any, build_index: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["-rf.png", "*b* :red[c] $d$ [e](f).png", "été 🙂.png", "שלום.png", "two\nlines.png", "=1+1.png"]
    folder = tmp_path / "odd"
    folder.mkdir()
    for number, name in enumerate(names):
        Pillow.fromarray(draw(number)).save(folder / name)
    with (folder / os.fsdecode(b"\xff.png")).open("wb") as file:
        Pillow.fromarray(draw(9)).save(file, "PNG")
    build_index(folder)
    monkeypatch.setenv("BOXFIND_GALLERY", str(folder))
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path / "index"))
    app.run()
    app.switch_page("pages/gallery.py").run()
    assert calm(app) and len(alts(app, "gallery")) == len(names) + 1
    for name in names:
        assert name in [tile.title for tile in tiles_of(app, "gallery")]
    pick(app, "gallery", "object", "-rf.png")
    assert shown_name(app) == "-rf.png"


def test_r30_a_black_picture_gives_results_or_a_message(app: AppTest, tmp_path: Path) -> None:
    Pillow.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "black.png")
    choose(app, tmp_path / "black.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    assert calm(app)
    assert len(alts(app)) == 12 or texts(app, "error")


@pytest.mark.parametrize("page", ["pages/search.py", "pages/gallery.py"])
def test_r49_an_unexpected_error_shows_a_number_and_logs_the_details(
    app: AppTest, monkeypatch: pytest.MonkeyPatch, caplog: Any, page: str
) -> None:
    app.run()
    monkeypatch.setattr("boxfind.ui.served_gallery.shared_engine", broken)
    app.switch_page(page).run()
    told = " ".join(texts(app, kind) for kind in ("error", "exception", "markdown", "caption", "text", "toast"))
    assert "Something went wrong (error " in told
    assert "secret" not in told and "Traceback" not in told and str(Path.cwd()) not in told
    number = told.split("(error ")[1].split(")")[0]
    record = next(record for record in caplog.records if number in record.getMessage())
    assert record.levelno == logging.ERROR and record.exc_info and "secret" in str(record.exc_info[1])


def test_r49_an_error_in_a_callback_shows_no_details(
    app: AppTest, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(app, pictures / "03.png")
    app.run()
    monkeypatch.setattr("boxfind.ui.search.query_source.opened", broken)
    app.file_uploader(key="upload 0").set_value(("mine.png", (pictures / "02.png").read_bytes(), "image/png"))
    app.run()
    (shown,) = app.exception
    assert "secret" not in shown.value and not list(shown.stack_trace)


@pytest.mark.parametrize("replaced", [False, True])
def test_r64_a_link_to_a_picture_that_is_gone_names_no_folder(
    app: AppTest, pictures: Path, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replaced: bool
) -> None:
    gone = shutil.copytree(pictures, tmp_path / "gone")
    Engine(Settings.load(gallery=gone, index=tmp_path / "index")).builds.build(lambda *_: None)
    monkeypatch.setenv("BOXFIND_GALLERY", str(gone))
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path / "index"))
    key = Engine(Settings.load()).gallery().entry("03.png").sha256
    (gone / "03.png").unlink()
    if replaced:
        shutil.copy(pictures / "04.png", tmp_path / "private.png")
        (gone / "03.png").symlink_to(tmp_path / "private.png")
    app.query_params["box"] = f"{key}:10,10,200,150"
    app.run()
    assert calm(app) and alts(app)[0].startswith("Rank 1: 03.png, likely match")
    said = " ".join(plainly(app, kind) for kind in ("warning", "error", "caption", "toast", "info"))
    assert "Searching with the thumbnail from the index" in said and str(tmp_path) not in said
