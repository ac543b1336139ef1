"""Fixtures: twelve pictures, their index, and the app serving them."""

import runpy
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar

import pytest
import streamlit as st
from PIL import Image as Pillow
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from boxfind import executors, loaded_networks
from boxfind.builds import Builds
from boxfind.engine import Engine
from boxfind.settings import Settings
from boxfind.visitor_pictures import VisitorPictures
from index.building.decoder_pool import DecoderPool
from index.building.jobs import BuildState
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.recipe import Recipe
from tests.boxfind.ui.reading import APP, HEIGHT, HERE, WIDTH


@pytest.fixture(scope="session", autouse=True)
def started_once(pool: DecoderPool) -> Iterator[None]:
    """Give every test its own engine. Networks and workers, which take a second each to start, are shared."""
    made: dict[tuple[Recipe, str], Embedder] = {}
    make = loaded_networks.embedder_for_searching

    def kept(recipe: Recipe, settings: Settings, streams: int = 1) -> Embedder:
        key = recipe, settings.runtime
        if key not in made:
            made[key] = make(recipe, settings, streams)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loaded_networks, "embedder_for_searching", kept)
        patch.setattr("index.operations.read_original._pool", lambda: pool)
        patch.setattr("boxfind.ui.memory_release.release_memory_regularly", lambda: None)
        patch.setattr(executors, "DecoderPool", lambda _: nullcontext(pool))
        yield


@pytest.fixture(autouse=True)
def decoded_by_shared_workers(pool: DecoderPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VisitorPictures, "_decoders", lambda _: pool)


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """AppTest leaves its script as the main module, and processes started later would run it again."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture(autouse=True)
def searches_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test its own saved searches and albums, which would otherwise outlast it in the data folder."""
    file = tmp_path / "searches.sqlite"
    monkeypatch.setattr(Settings, "searches_file", property(lambda _: file))
    return file


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory, draw: Any) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(12):
        Pillow.fromarray(draw(number, WIDTH, HEIGHT)).save(folder / f"{number:02d}.png")
    return folder


@pytest.fixture(scope="session")
def index(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index")
    Engine(Settings.load(gallery=pictures, index=folder)).builds.build(lambda *_: None)
    return folder


class ServerPages(PagesManager):
    """Keeps the pages of st.navigation for the callbacks of the next run, like a server and unlike AppTest."""

    known: ClassVar[dict[str, Any]] = {}

    def get_pages(self) -> dict[str, Any]:
        pages = super().get_pages()
        if self._pages:
            self.known.update(pages)
        return pages if self._pages or not self.known else self.known


@pytest.fixture
def app(pictures: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The app for a visitor who may only search."""
    monkeypatch.setenv("BOXFIND_GALLERY", str(pictures))
    monkeypatch.setenv("BOXFIND_INDEX", str(index))
    # AppTest forgets between runs that st.navigation replaces Streamlit's handling of the pages folder.
    monkeypatch.setattr("streamlit.runtime.scriptrunner.script_runner._mpa_v1", runpy.run_path)
    monkeypatch.setattr("streamlit.testing.v1.app_test.PagesManager", ServerPages)
    monkeypatch.setattr(ServerPages, "known", {})
    st.cache_resource.clear()
    st.cache_data.clear()
    yield AppTest.from_file(str(APP), default_timeout=60)
    st.cache_resource.clear()


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the visitor local, and so an administrator."""
    monkeypatch.setenv("BOXFIND_ADMIN", "local")
    monkeypatch.setattr("boxfind.ui.authorization.visitor", lambda: HERE)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The builds requested from the engine, which are not run: "build", "full build", "cancel"."""
    heard: list[str] = []
    monkeypatch.setattr(Builds, "start", lambda _, full=False: heard.append("full build" if full else "build"))
    monkeypatch.setattr(Builds, "cancel", lambda _, build: heard.append("cancel"))
    return heard


@pytest.fixture
def started(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The builds requested from the engine; after a request, a build seems to be running."""
    running = BuildState(state="running", pid=41, started=1.0, stage_started=1.0, now=2.0)
    monkeypatch.setattr(Builds, "state", lambda _: running if asked else None)
    return asked
