"""Builds, cancelled and failed builds and a missing index, as visitors and administrators see them."""

import contextlib
import json
import logging
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from boxfind.builds import Builds
from boxfind.engine import Engine
from boxfind.loaded_networks import LoadedNetworks
from boxfind.settings import Settings
from boxfind.ui.authorization import Visitor
from index.building.cancellation import CANCELLED
from index.building.jobs import BuildState, building
from index.building.read_text import TextProgress
from index.storage.generation import current_folder
from retrieval.errors import BoxfindError, BuildCancelled, WeightsMissing
from retrieval.types import Box
from tests.boxfind.ui.reading import APP, HEIGHT, WIDTH, alts, buttons, calm, choose, press, texts

UPDATE, REBUILD, START, BUILD = "Update index", "Rebuild index", "Start rebuilding", "Build index"
EVERY_BUTTON = {UPDATE, REBUILD, START, BUILD, "Cancel"}
ADA = {"is_logged_in": True, "email": "Ada@Example.org", "email_verified": True}


def build_of(state: str, **more: Any) -> BuildState:
    known = {"pid": 41, "started": 1000.0, "stage_started": 1000.0, "now": 1020.0} | more
    return BuildState.model_validate({"state": state} | known)


def keys(app: AppTest) -> list[str | None]:
    return [button.key for button in app.button]


def show_build(monkeypatch: pytest.MonkeyPatch, state: BuildState | None) -> None:
    monkeypatch.setattr(Builds, "state", lambda _: state)


@pytest.fixture
def index_page(app: AppTest, here: None) -> AppTest:
    """The Index page of an administrator."""
    return open_index_page(app)


def open_index_page(app: AppTest) -> AppTest:
    app.run()
    return app.switch_page("pages/index.py").run()


def test_an_administrator_can_update_or_rebuild_the_index(index_page: AppTest, asked: list[str], caplog: Any) -> None:
    caplog.set_level(logging.INFO, "boxfind")
    press(index_page, UPDATE)
    press(index_page, REBUILD)
    assert "Re-reads all 12 pictures. You can search" in texts(index_page, "markdown").replace("\\", "")
    assert calm(index_page) and asked == ["build"]
    press(index_page, START)
    assert calm(index_page) and asked == ["build", "full build"]
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
    open_index_page(app)
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
    if may:
        press(open_index_page(app), UPDATE)
    else:
        with pytest.raises(ValueError, match="Could not find a navigation page"):
            open_index_page(app)
    assert asked == ["build"] * may
    open_account_page(app)
    assert ("Log out" in buttons(app)) == bool(user.get("is_logged_in"))


def test_logging_in_without_a_provider_shows_a_message(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXFIND_ADMIN", "login")
    app.user = {}
    open_account_page(app)
    assert calm(app) and "Log in" not in buttons(app)
    assert "no log-in provider is configured" in texts(app, "caption")


def test_logging_in_with_an_incomplete_provider_shows_a_message(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXFIND_ADMIN", "login")
    app.user = {"is_logged_in": False}
    app.secrets["auth"] = {"redirect_uri": "http://localhost:8501/oauth2callback"}
    open_account_page(app)
    press(app, "Log in")
    assert calm(app) and "Log-in failed" in texts(app, "toast")


def test_administrators_are_warned_before_an_update_that_reads_all_pictures(
    index_page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "again" not in texts(index_page, "caption")
    monkeypatch.setenv("BOXFIND_KEYPOINTS", "0")
    st.cache_resource.clear()  # as after a restart
    index_page.run()
    sentence = "Next update: All 12 pictures are read again: keypoints changed from 500 to 0."
    assert calm(index_page) and sentence in texts(index_page, "caption").replace("\\", "")


@pytest.mark.usefixtures("here")
def test_the_reason_for_a_full_read_is_shown_during_the_build(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    notice = "All 12 pictures are read again: keypoints changed from 0 to 500."
    show_build(monkeypatch, build_of("running", stage="Reading pictures", notice=notice))
    open_index_page(app)
    assert calm(app) and notice in texts(app, "caption").replace("\\", "")


@pytest.mark.usefixtures("here")
def test_r36_a_running_build_can_be_cancelled(app: AppTest, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    show_build(monkeypatch, build_of("running", stage="Reading pictures", done=500, total=2000))
    app.run()
    (progress,) = app.get("progress")
    assert progress.text == "Reading pictures: 500 of 2,000, 25 a second, 60 s left"
    press(app, "Cancel")
    assert asked == ["cancel"]
    show_build(monkeypatch, build_of("cancelled"))
    app.run()
    assert calm(app) and CANCELLED in texts(app, "markdown") and "Cancel" not in buttons(app)
    open_index_page(app)
    assert CANCELLED not in texts(app, "markdown") and CANCELLED in texts(app, "caption")


@pytest.mark.usefixtures("here")
def test_the_reading_of_text_after_a_build_is_shown_and_can_be_stopped(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[str] = []
    monkeypatch.setattr(Builds, "text_progress", lambda *_: None if stopped else TextProgress(310, 2000))
    monkeypatch.setattr(Builds, "stop_reading", lambda _: stopped.append("stop"))
    app.run()
    (progress,) = app.get("progress")
    assert calm(app) and progress.text == "Reading what is written: 310 of 2,000"
    press(app, "Stop")
    assert calm(app) and stopped == ["stop"] and not app.get("progress")


@pytest.mark.parametrize(("state", "says"), [("done", "is up to date"), ("failed", "build failed. The disk is full")])
@pytest.mark.usefixtures("here")
def test_the_outcome_of_a_build_replaces_its_progress_on_the_page_that_showed_it(
    app: AppTest, monkeypatch: pytest.MonkeyPatch, state: str, says: str
) -> None:
    show_build(monkeypatch, build_of(state, id="b", message="The disk is full."))
    app.run()
    assert says not in texts(app, "markdown").replace("\\", "")  # it was not seen running
    show_build(monkeypatch, build_of("running", id="b"))
    app.run()
    show_build(monkeypatch, build_of(state, id="b", message="The disk is full."))
    for _ in range(2):
        assert says in texts(app.run(), "markdown").replace("\\", "")
    app.switch_page("pages/gallery.py").run()
    assert calm(app) and says not in texts(app, "markdown").replace("\\", "")


def test_buttons_keep_their_place_during_a_build(
    index_page: AppTest, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A click that was meant for Cancel must not start a build when the page changes under the pointer."""
    assert not index_page.button(key="update").disabled and not index_page.button(key="rebuild all").disabled
    show_build(monkeypatch, build_of("running"))
    index_page.run()
    assert index_page.button(key="update").disabled and index_page.button(key="rebuild all").disabled


@pytest.mark.usefixtures("here")
def test_r67_every_tab_says_at_once_that_a_build_is_being_cancelled(
    app: AppTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, index: Path
) -> None:
    shutil.copytree(index, tmp_path / "index", symlinks=True)
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path / "index"))
    with building(tmp_path / "index") as report:
        report("Reading pictures", 500, 2000)
        app.run()
        press(app, "Cancel")
        (progress,) = app.get("progress")
        assert calm(app) and progress.text == "Cancelling…" and "Cancel" not in buttons(app)
        with pytest.raises(BuildCancelled):
            report.cancellation.request()


@pytest.mark.usefixtures("here")
def test_r67_a_click_cancels_the_build_that_was_shown_and_no_other(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Builds, "cancel", lambda _, build: asked.append(build))
    show_build(monkeypatch, build_of("running", id="first"))
    app.run()
    click = app.button(key="cancel build").click()
    show_build(monkeypatch, build_of("running", id="second"))
    click.run()
    assert asked == ["first"]


@pytest.mark.usefixtures("here")
def test_r74_an_open_page_follows_a_build_cheaply(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []
    fragment = st.fragment

    def once(run: Callable[..., None], run_every: str | None = None) -> Callable[..., None]:
        asked.append(run_every)
        return fragment(run)

    monkeypatch.setattr(st, "fragment", once)
    for state in ("running", "done"):
        show_build(monkeypatch, build_of(state))
        app.run()
    assert calm(app) and asked == ["3s", "3s", None, "30s"]  # the sidebar and the line at the bottom, twice
    options = tomllib.loads((APP.parent / ".streamlit" / "config.toml").read_text())
    assert options["runner"]["postScriptGC"] is False  # a full collection after each run took most of the CPU time


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
    open_index_page(app)
    assert "Started " in texts(app, "caption")
    assert all(button.disabled for button in app.button if button.label in (UPDATE, REBUILD))


@pytest.mark.usefixtures("here")
def test_administrators_see_why_a_build_failed(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    show_build(monkeypatch, build_of("failed", message="The disk is full."))
    open_index_page(app)
    assert "The disk is full" in texts(app, "error")


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
    monkeypatch.setattr(Builds, "state", lambda _: running if asked else None)
    app.run()
    assert calm(app) and asked == ["build"]
    assert "Building the index" in texts(app, "title") and "Cancel" not in buttons(app)
    monkeypatch.setattr(Builds, "state", lambda _: build_of("cancelled"))
    app.run()
    assert CANCELLED in texts(app, "info") and BUILD in buttons(app)
    shutil.copytree(index, tmp_path / "none", symlinks=True)
    app.run()
    assert calm(app) and not EVERY_BUTTON & set(buttons(app))


@pytest.mark.usefixtures("here")
def test_r38_an_unwritable_index_folder_is_reported(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/srv/index/build.log")

    monkeypatch.setattr("boxfind.builds.start_build_process", refused)
    open_index_page(app)
    press(app, UPDATE)
    assert calm(app)
    assert "The build cannot be started: Permission denied." in texts(app, "toast").replace("\\", "")


@pytest.mark.usefixtures("here")
def test_r21_a_missing_gallery_folder_is_reported_and_not_indexed(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOXFIND_GALLERY", str(tmp_path / "unplugged"))
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path / "index"))

    def build_here(builds: Builds, full: bool = False) -> None:
        with contextlib.suppress(BoxfindError):
            builds.build(lambda *_: None)

    monkeypatch.setattr(Builds, "start", build_here)
    app.run()
    assert calm(app)
    assert "The gallery folder" in texts(app, "error")
    assert [link.proto.page for link in app.get("page_link")] == ["collections"]  # the way to another one
    assert not (tmp_path / "index" / "CURRENT").exists()


@pytest.mark.usefixtures("here")
def test_another_folder_can_be_chosen_when_that_of_the_index_is_missing(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOXFIND_GALLERY", str(tmp_path / "unplugged"))
    assert calm(open_index_page(app))
    app.switch_page("pages/collections.py").run()  # in the menu (test_navigation.py)
    assert calm(app) and "Add this folder" in buttons(app)


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
    press(app, START)
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
        press(app, START)
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

    monkeypatch.setattr(LoadedNetworks, "embedder", missing)
    choose(app, pictures / "03.png")
    app.run()
    assert calm(app)
    assert "Search is unavailable" in texts(app, "error") and "/opt" not in texts(app, "error")
    assert "/opt/weights/net.pth" in caplog.text


def open_account_page(app: AppTest) -> None:
    app.run()
    app.switch_page("pages/account.py").run()


def changed_manifest(pictures: Path, index_dir: Path, **changes: object) -> Path:
    """Build an index and change its manifest. Returns the generation folder."""
    Engine(Settings.load(gallery=pictures, index=index_dir)).builds.build(lambda *_: None)
    folder = current_folder(index_dir)
    file = folder / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return folder


def changed_recipe(pictures: Path, index_dir: Path) -> None:
    Engine(Settings.load(gallery=pictures, index=index_dir)).builds.build(lambda *_: None)
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
    Engine(Settings.load(gallery=gallery, index=tmp_path / "index")).builds.build(lambda *_: None)
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
