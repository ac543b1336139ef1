"""What tests share: no network, a folder for what is made, small drawn pictures, and a stand-in for the backbone."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from index.building.build import build
from index.building.decoder_pool import DecoderPool
from index.building.jobs import yield_to_others
from index.building.thread_executor import ThreadExecutor
from index.storage.generation import Prepare, no_preparation
from retrieval.descriptors.embedder import Embedder
from retrieval.ranking import verification
from retrieval.types import Image, Notify
from tests.lite import lite_file
from tests.tiny import TINY_RECIPE, draw_picture, eight_pictures, tiny_run

if TYPE_CHECKING:  # it needs pymilvus
    from index.milvus.client import Milvus

settings.register_profile("boxfind", deadline=None, derandomize=True, database=None)
settings.load_profile("boxfind")

Draw = Callable[..., Image]
BuildIndex = Callable[..., Path]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """The tests of one file share what they set up, and those of some folders one index or a running program."""

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            folder = file.rpartition("/")[0]
            alone = file.endswith(("_story.py", "/test_stories.py"))  # with a server for themselves
            return folder if folder.endswith(("/browser", "/commands", "/export", "/ui")) and not alone else file

    return Together(config, log)


def pytest_configure(config: pytest.Config) -> None:
    """Workers give way to others as the builds do that their tests start: else those would wait for all of them."""
    if hasattr(config, "workerinput"):
        os.setsid()
        yield_to_others()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that no worker is left alone with it."""
    items.sort(key=lambda item: "/browser/" not in item.nodeid)


@pytest.fixture(scope="session", autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder for everything the program makes for itself in this session: networks are converted once."""
    data = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("BOXFIND_")]:
            patch.delenv(name)
        patch.setenv("BOXFIND_OFFLINE", "1")
        patch.setenv("BOXFIND_DATA", str(data))
        patch.setenv("TORCH_HOME", str(data / "torch"))
        yield data


@pytest.fixture(scope="session")
def make_embedder() -> Callable[..., Embedder]:
    """An embedder with that network; keyword arguments change its recipe."""
    return lambda **changes: Embedder(replace(TINY_RECIPE, **changes), tiny_run)


@pytest.fixture(scope="session")
def tiny_embedder(make_embedder: Callable[..., Embedder]) -> Embedder:
    return make_embedder()


@pytest.fixture(scope="session")
def draw() -> Draw:
    """Makes a read-only picture of coloured rectangles, another one for every seed."""
    return draw_picture


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """Eight lossless pictures, two of them in a folder below."""
    return eight_pictures(tmp_path / "gallery")


@pytest.fixture(scope="session", autouse=True)
def no_hurry() -> Iterator[None]:
    """However busy the machine is, every candidate is verified: answers do not depend on the clock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verification, "TIME_BUDGET", float("inf"))
        yield


@pytest.fixture(scope="session")
def pool() -> Iterator[DecoderPool]:
    """The worker processes that decode pictures, started once."""
    with DecoderPool(2) as started:
        yield started


@pytest.fixture(scope="session")
def lite(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Milvus]":
    """Milvus in a file, opened once; where it is not installed the tests that need it are skipped."""
    for library in ("pymilvus", "milvus_lite"):
        pytest.importorskip(library, reason=f'{library} is not installed: pip install -e ".[milvus]"')
    with lite_file(tmp_path_factory.mktemp("milvus") / "vectors.db") as opened:
        yield opened


@pytest.fixture
def build_index(tmp_path: Path, tiny_embedder: Embedder, pool: DecoderPool) -> BuildIndex:
    """Indexes a folder into tmp_path/index; the folder of the generation that is served then."""

    def built(
        folder: Path,
        workers: int = 1,
        embedder: Embedder = tiny_embedder,
        into: str = "index",
        full: bool = False,
        prepare: Prepare = no_preparation,
        notify: Notify = lambda _: None,
    ) -> Path:
        look = ThreadExecutor(embedder, pool, workers)
        return build(folder, tmp_path / into, look, lambda *_: None, full=full, prepare=prepare, notify=notify)

    return built
