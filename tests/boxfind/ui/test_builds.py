"""Builds, cancelled and failed builds and a missing index, as visitors and administrators see them."""

import contextlib
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from boxfind.engine import Engine
from boxfind.settings import Settings
from boxfind.ui.authorization import Visitor
from index.building.jobs import CANCELLED, BuildState
from index.storage.generation import current_folder
from retrieval.errors import BoxfindError, WeightsMissing
from retrieval.types import Box
from tests.boxfind.ui.reading import HEIGHT, WIDTH, alts, buttons, calm, choose, press, texts

UPDATE, REBUILD, BUILD = "Update index", "Rebuild index", "Build index"
EVERY_BUTTON = {UPDATE, REBUILD, BUILD, "Cancel"}
ADA = {"is_logged_in": True, "email": "Ada@Example.org", "email_verified": True}


def build_of(state: str, **more: Any) -> BuildState:
    known = {"pid": 41, "started": 1000.0, "stage_started": 1000.0, "now": 1020.0} | more
    return BuildState.model_validate({"state": state} | known)


def keys(app: AppTest) -> list[str | None]:
    return [button.key for button in app.button]


def show_build(monkeypatch: pytest.MonkeyPatch, state: BuildState | None) -> None:
    monkeypatch.setattr(Engine, "build_state", lambda engine: state)


@pytest.mark.usefixtures("here")
def test_an_administrator_can_update_or_rebuild_the_index(app: AppTest, asked: list[str], caplog: Any) -> None:
    caplog.set_level(logging.INFO, "boxfind")
    app.run()
    press(app, UPDATE)
    press(app, REBUILD)
    assert calm(app) and asked == ["build", "full build"]
    assert caplog.messages == [
        "Build requested by a visitor on this machine.",
        "Full build requested by a visitor on this machine.",
    ]


def test_r48_visitors_see_no_build_buttons(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    for state in (None, build_of("running"), build_of("failed", message="No room in /srv/index"), build_of("done")):
        show_build(monkeypatch, state)
        app.run()
        assert calm(app) and not EVERY_BUTTON & set(buttons(app))
        assert "/srv" not in texts(app, "error")


def test_r48_a_click_after_logging_out_is_refused_and_logged(
    app: AppTest, asked: list[str], monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """A browser may send a click on a button that was shown while it was still allowed."""
    monkeypatch.setenv("BOXFIND_ADMIN", "login")
    monkeypatch.setenv("BOXFIND_ADMINS", "ada@example.org")
    app.user = ADA
    app.run()
    click = next(button for button in app.button if button.label == UPDATE).click()
    app.user = {"is_logged_in": False}
    click.run()
    assert calm(app) and not asked
    assert "Only an administrator" in texts(app, "toast")
    assert caplog.records[-1].levelname == "WARNING" and caplog.messages[-1].startswith("Refused")
    assert UPDATE not in buttons(app)


@pytest.mark.parametrize(
    ("user", "may"),
    [
        (ADA, True),
        (ADA | {"email": "eve@example.org"}, False),
        (ADA | {"email_verified": False}, False),
        (ADA | {"is_logged_in": False}, False),
        ({"email": "ada@example.org"}, False),
    ],
)
def test_r48_only_listed_and_verified_addresses_may_build(
    app: AppTest, asked: list[str], monkeypatch: pytest.MonkeyPatch, user: dict[str, Any], may: bool
) -> None:
    monkeypatch.setenv("BOXFIND_ADMIN", "login")
    monkeypatch.setenv("BOXFIND_ADMINS", "ada@example.org, grace@example.org")
    app.user = user
    app.run()
    assert calm(app)
    assert (UPDATE in buttons(app)) == may
    if may:
        press(app, UPDATE)
    assert asked == ["build"] * may
    assert ("Log out" in buttons(app)) == bool(user.get("is_logged_in"))


def test_logging_in_without_a_provider_shows_a_message(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXFIND_ADMIN", "login")
    app.user = {}
    app.run()
    assert calm(app) and "Log in" not in buttons(app)
    assert "no log-in provider is configured" in texts(app, "caption")


def test_logging_in_with_an_incomplete_provider_shows_a_message(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXFIND_ADMIN", "login")
    app.user = {"is_logged_in": False}
    app.secrets["auth"] = {"redirect_uri": "http://localhost:8501/oauth2callback"}
    app.run()
    press(app, "Log in")
    assert calm(app) and "Log-in failed" in texts(app, "toast")


@pytest.mark.parametrize("admin", [True, False])
def test_administrators_are_warned_before_an_update_that_reads_all_pictures(
    app: AppTest, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, admin: bool
) -> None:
    if admin:
        request.getfixturevalue("here")
    app.run()
    assert "again" not in texts(app.sidebar, "caption")
    monkeypatch.setenv("BOXFIND_KEYPOINTS", "0")
    st.cache_resource.clear()  # as after a restart
    app.run()
    sentence = "The next update reads all 12 pictures again: keypoints changed from 500 to 0."
    assert calm(app) and (sentence in texts(app.sidebar, "caption").replace("\\", "")) == admin


def test_the_reason_for_a_full_read_is_shown_with_the_progress(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    notice = "All 12 pictures are read again: keypoints changed from 0 to 500."
    show_build(monkeypatch, build_of("running", stage="Reading pictures", notice=notice))
    app.run()
    assert calm(app) and notice in texts(app.sidebar, "caption").replace("\\", "")


@pytest.mark.usefixtures("here")
def test_r36_a_running_build_can_be_cancelled(app: AppTest, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    show_build(monkeypatch, build_of("running", stage="Reading pictures", done=500, total=2000))
    app.run()
    (progress,) = app.sidebar.get("progress")
    assert progress.text == "Reading pictures: 500 of 2,000, 25 a second, 60 s left"
    press(app, "Cancel")
    assert asked == ["cancel"]
    show_build(monkeypatch, build_of("cancelled"))
    app.run()
    assert calm(app) and CANCELLED in texts(app.sidebar, "caption")
    assert {UPDATE, REBUILD} <= set(buttons(app))


def test_r36_only_an_administrator_cancels(app: AppTest, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The page was opened by an administrator; the click arrives after log-out."""
    monkeypatch.setenv("BOXFIND_ADMIN", "login")
    monkeypatch.setenv("BOXFIND_ADMINS", "ada@example.org")
    show_build(monkeypatch, build_of("running"))
    app.user = ADA
    app.run()
    click = app.button(key="cancel build").click()
    app.user = {}
    click.run()
    assert calm(app) and not asked
    assert "Only an administrator" in texts(app, "toast")


@pytest.mark.usefixtures("here")
def test_r39_a_second_tab_shows_the_running_build(
    app: AppTest, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    show_build(monkeypatch, build_of("running"))
    app.run()
    assert "Started " in texts(app.sidebar, "caption")
    assert not {UPDATE, REBUILD} & set(buttons(app))


@pytest.mark.usefixtures("here")
def test_administrators_see_why_a_build_failed(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    show_build(monkeypatch, build_of("failed", message="The disk is full."))
    app.run()
    assert "The disk is full" in texts(app.sidebar, "error")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", ["CURRENT", "gen-000009-abcd"])
def test_an_unusable_index_is_reported(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "CURRENT").write_text(name)
    (tmp_path / "build.json").write_text(build_of("failed", message="The disk was full.").model_dump_json())
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path))
    app.run()
    assert calm(app)
    assert "The disk was full" in texts(app, "error")
    assert BUILD in buttons(app)


@pytest.mark.usefixtures("here")
def test_r55_an_index_of_an_older_format_can_be_rebuilt(
    app: AppTest, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    folder = changed_manifest(pictures, tmp_path, format=1)
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path))
    show_build(monkeypatch, build_of("done"))
    app.run()
    assert calm(app)
    assert folder.name in texts(app, "error").replace("\\", "")
    press(app, BUILD)
    assert asked == ["build"]


@pytest.mark.parametrize("admin", ["nobody", "local", "login", "header"])
def test_r48_without_an_index_visitors_cannot_start_a_build(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, admin: str
) -> None:
    monkeypatch.setattr("boxfind.ui.authorization.visitor", lambda: Visitor(server="127.0.0.1", address="192.0.2.7"))
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path / "none"))
    monkeypatch.setenv("BOXFIND_ADMIN", admin)
    app.run()
    assert calm(app)
    assert "There is no index" in texts(app, "info")
    assert str(tmp_path) not in texts(app, "info") + texts(app, "text") + texts(app, "error")
    assert not EVERY_BUTTON & set(buttons(app))
    assert not (tmp_path / "none").exists()


def test_visitors_can_start_only_the_first_build_of_the_sample_gallery(
    app: AppTest, tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch, index: Path
) -> None:
    monkeypatch.delenv("BOXFIND_GALLERY")
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path / "none"))
    running = build_of("running")
    monkeypatch.setattr(Engine, "build_state", lambda engine: running if asked else None)
    app.run()
    assert calm(app) and asked == ["build"]
    assert "Building the index" in texts(app, "title") and "Cancel" not in buttons(app)
    monkeypatch.setattr(Engine, "build_state", lambda engine: build_of("cancelled"))
    app.run()
    assert CANCELLED in texts(app, "info") and BUILD in buttons(app)
    shutil.copytree(index, tmp_path / "none", symlinks=True)
    app.run()
    assert calm(app) and not EVERY_BUTTON & set(buttons(app))


@pytest.mark.usefixtures("here")
def test_r38_an_unwritable_index_folder_is_reported(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/srv/index/build.log")

    monkeypatch.setattr("boxfind.engine.BuildProcess", refused)
    app.run()
    press(app, UPDATE)
    assert calm(app)
    assert "The build cannot be started: Permission denied." in texts(app, "toast").replace("\\", "")


@pytest.mark.usefixtures("here")
def test_r21_a_missing_gallery_folder_is_reported_and_not_indexed(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOXFIND_GALLERY", str(tmp_path / "unplugged"))
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path / "index"))

    def build_here(engine: Engine, full: bool = False) -> None:
        with contextlib.suppress(BoxfindError):
            engine.build(lambda *_: None)

    monkeypatch.setattr(Engine, "start_build", build_here)
    app.run()
    assert calm(app)
    assert "The gallery folder" in texts(app, "error")
    assert not (tmp_path / "index" / "CURRENT").exists()


@pytest.mark.usefixtures("here")
def test_r32_an_index_of_another_recipe_can_be_browsed_and_rebuilt_but_not_searched(
    app: AppTest, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    changed_recipe(pictures, tmp_path)
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path))
    choose(app, pictures / "03.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    assert calm(app)
    assert "Rebuild the index" in texts(app, "error") and not alts(app)
    app.button(key="rebuild").click().run()
    assert asked == ["build"]
    app.switch_page("pages/gallery.py").run()
    assert len(alts(app, "gallery")) == 12


def test_r32_visitors_see_the_recipe_error_without_the_button(
    app: AppTest, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed_recipe(pictures, tmp_path)
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path))
    choose(app, pictures / "03.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    assert calm(app)
    assert "Rebuild the index" in texts(app, "error") and "rebuild" not in keys(app)


@pytest.mark.parametrize("page", ["pages/search.py", "pages/gallery.py"])
@pytest.mark.parametrize("admin", [True, False])
def test_r31_a_warning_says_that_an_older_index_is_served(
    app: AppTest,
    asked: list[str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    page: str,
    admin: bool,
) -> None:
    if admin:
        request.getfixturevalue("here")
    monkeypatch.setattr(Engine, "warning", lambda engine: "The newest index is damaged; the one before it is served.")
    app.run()
    app.switch_page(page).run()
    assert calm(app) and "is damaged" in texts(app, "warning")
    assert ("rebuild" in keys(app)) == admin
    if admin:
        app.button(key="rebuild").click().run()
        assert asked == ["build"]


def test_r31_the_previous_index_replaces_a_damaged_one_with_a_warning(
    app: AppTest, pictures: Path, tmp_path: Path, build_index: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = shutil.copytree(pictures, tmp_path / "gallery")
    build_index(gallery)
    (gallery / "00.png").unlink()
    vectors = build_index(gallery) / "vectors.npy"
    vectors.write_bytes(vectors.read_bytes()[:-1] + b"?")
    monkeypatch.setenv("BOXFIND_GALLERY", str(gallery))
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path / "index"))
    app.run()
    app.switch_page("pages/gallery.py").run()
    assert calm(app) and texts(app, "warning")
    assert str(tmp_path) not in texts(app, "warning")
    assert alts(app, "gallery")[0] == "00.png"


def test_r44_the_message_about_missing_weights_names_no_folder(
    app: AppTest, pictures: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def missing(engine: Engine, recipe: object) -> None:
        raise WeightsMissing(
            "The weights file /opt/weights/net.pth has the wrong checksum", "delete it and start again"
        )

    monkeypatch.setattr(Engine, "embedder", missing)
    choose(app, pictures / "03.png")
    app.run()
    assert calm(app)
    assert "Search is unavailable" in texts(app, "error") and "/opt" not in texts(app, "error")
    assert "/opt/weights/net.pth" in caplog.text


def changed_manifest(pictures: Path, index_dir: Path, **changes: object) -> Path:
    """Build an index and change its manifest. Returns the generation folder."""
    Engine(Settings.load(gallery=pictures, index=index_dir)).build(lambda *_: None)
    folder = current_folder(index_dir)
    file = folder / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return folder


def changed_recipe(pictures: Path, index_dir: Path) -> None:
    Engine(Settings.load(gallery=pictures, index=index_dir)).build(lambda *_: None)
    file = current_folder(index_dir) / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["recipe"]["weights_sha256"] = "f" * 64
    file.write_text(json.dumps(manifest))


def test_skipped_files_are_listed_for_everyone(
    app: AppTest, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = shutil.copytree(pictures, tmp_path / "gallery")
    (gallery / "=cmd().png").write_bytes(b"nothing")
    (gallery / "empty.jpg").write_bytes(b"")
    Pillow.new("RGB", (4, 4)).save(gallery / "tiny.png")
    Engine(Settings.load(gallery=gallery, index=tmp_path / "index")).build(lambda *_: None)
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path / "index"))
    app.run()
    press(app, "3 files skipped")
    assert calm(app)
    (table,) = app.dataframe
    assert list(table.value["Reason"]) == ["not_an_image", "empty", "too_small"]
    assert list(table.value["File"]) == ["=cmd().png", "empty.jpg", "tiny.png"]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("fallback", [False, True])
def test_r54_searching_while_milvus_is_unreachable(
    app: AppTest, pictures: Path, monkeypatch: pytest.MonkeyPatch, fallback: bool
) -> None:
    pytest.importorskip("pymilvus", reason='pymilvus is not installed: pip install -e ".[milvus]"')
    monkeypatch.setenv("BOXFIND_STORE", "milvus")
    monkeypatch.setenv("BOXFIND_MILVUS_URI", "http://127.0.0.1:1")  # nothing listens there
    monkeypatch.setenv("BOXFIND_MILVUS_FALLBACK", str(fallback))
    choose(app, pictures / "03.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    assert calm(app)
    if fallback:
        assert alts(app)[0].startswith("Rank 1: 03.png")
        app.run()
        assert "searching the vectors on this machine" in texts(app, "warning") and alts(app)
    else:
        assert "does not answer" in texts(app, "error") and not alts(app)
    assert "rebuild" not in keys(app)  # a rebuild would not help
