"""Shared fixtures: offline environment, a data folder, small drawn images, and a fake backbone."""

import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from boxfind import executors
from index.building.build import BuildOptions, build
from index.building.decoder_pool import DecoderPool
from index.building.jobs import yield_to_others
from index.building.thread_executor import ThreadExecutor
from index.building.waves import WaveOptions
from index.storage.gallery_rules import DEFAULT_RULES, GalleryRules
from index.storage.publishing import Prepare, no_preparation
from retrieval.descriptors.embedder import Embedder
from retrieval.types import Image, Notify, quiet
from tests.lite import lite_file
from tests.tiny import TINY_RECIPE, draw_picture, eight_pictures, tiny_run

if TYPE_CHECKING:  # requires pymilvus
    from index.milvus.client import Milvus

settings.register_profile("boxfind", deadline=None, derandomize=True, database=None)
settings.load_profile("boxfind")

Draw = Callable[..., Image]
BuildIndex = Callable[..., Path]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Run the tests of a file, and of some folders, on one worker: they share fixtures such as an index."""

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            folder = file.rpartition("/")[0]
            return folder if folder.endswith(("/commands", "/export", "/ui")) else file

    return Together(config, log)


def pytest_configure(config: pytest.Config) -> None:
    """Lower the workers' priority to that of the builds they start, which would otherwise starve."""
    if hasattr(config, "workerinput"):
        os.setsid()
        yield_to_others()


TESTS = Path(__file__).parent
SLOW = (
    "benchmarks",
    "boxfind/api/test_schema.py",
    "boxfind/commands/test_batch.py",
    "boxfind/commands/test_build_stopped.py",
    "boxfind/commands/test_compare_networks.py",
    "boxfind/commands/test_filter_options.py",
    "boxfind/commands/test_finetune.py",
    "boxfind/commands/test_generations.py",
    "boxfind/evaluation/test_compare_networks.py",
    "boxfind/finetuning/test_learning.py",
    "boxfind/samples",
    "boxfind/test_doctor.py",
    "boxfind/test_embedders.py",
    "boxfind/test_folder_watch.py",
    "boxfind/test_hub_backbones.py",
    "boxfind/test_update_notice.py",
    "boxfind/ui/administration",
    "boxfind/ui/catalogue",
    "boxfind/ui/test_away_note.py",
    "boxfind/ui/test_collection_choice.py",
    "boxfind/ui/evaluate",
    "boxfind/ui/gallery",
    "boxfind/ui/search/test_address.py",
    "boxfind/ui/search/test_picture_filters.py",
    "boxfind/ui/search/test_results_in_all.py",
    "boxfind/ui/search/test_saved_searches_menu.py",
    "boxfind/ui/search/test_search_options.py",
    "boxfind/ui/search/test_settled_results.py",
    "boxfind/ui/search/test_several_pictures.py",
    "boxfind/ui/test_builds.py",
    "boxfind/ui/test_hostile.py",
    "browser/test_address_stories.py",
    "browser/test_administration_story.py",
    "browser/test_albums_story.py",
    "browser/test_batch_upload_story.py",
    "browser/test_build_stories.py",
    "browser/test_canvas_stories.py",
    "browser/test_catalogue_stories.py",
    "browser/test_closer_view_stories.py",
    "browser/test_collections_story.py",
    "browser/test_documents_story.py",
    "browser/test_evaluate_story.py",
    "browser/test_films_story.py",
    "browser/test_found_regions_story.py",
    "browser/test_login.py",
    "browser/test_moved_stories.py",
    "browser/test_other_hosts.py",
    "browser/test_results_stories.py",
    "browser/test_search_stories.py",
    "browser/test_watch_story.py",
    "browser/test_waves_story.py",
    "browser/test_words_stories.py",
    "index/building/test_catalogue.py",
    "index/building/test_kill.py",
    "index/building/test_several_pictures.py",
    "index/building/test_update.py",
    "index/building/test_wave_rule.py",
    "index/building/test_waves.py",
    "index/cluster",
    "index/milvus",
    "index/operations/test_backup.py",
    "retrieval/networks/test_architectures.py",
    "retrieval/networks/test_hub_networks.py",
    "retrieval/networks/test_open_clip_networks.py",
    "retrieval/networks/test_torchvision_compat.py",
    "retrieval/regions/test_faster_rcnn.py",
    "retrieval/regions/test_sam.py",
    "retrieval/text/test_bert.py",
)
"""Files and folders that `make test` leaves to `make test-all`: Ray, Milvus, benchmarks, further stories of pages."""


def is_slow(path: Path) -> bool:
    return any(path.is_relative_to(TESTS / slow) for slow in SLOW)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import files from which `-m slow` or `-m "not slow"` selects nothing."""
    if not (collection_path.suffix == ".py" and collection_path.name.startswith("test_")):
        return None
    match config.option.markexpr:
        case "slow":
            has_any = is_slow(collection_path) or "mark.slow" in collection_path.read_text(encoding="utf-8")
        case "not slow":
            has_any = not is_slow(collection_path)
        case _:
            has_any = True
    return None if has_any else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark slow tests, and run the longest ones first, so that no worker finishes long after the others."""
    for item in items:
        if is_slow(item.path):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: "/browser/" not in item.nodeid and "/benchmarks/" not in item.nodeid)


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of converted networks that all workers share; converting one takes seconds."""
    folder = tmp_path_factory.getbasetemp()
    shared = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "networks"
    shared.mkdir(exist_ok=True)
    return shared


@pytest.fixture(scope="session", autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory, networks: Path) -> Iterator[Path]:
    """BOXFIND_DATA for the whole session; no downloads."""
    data = tmp_path_factory.mktemp("data")
    (data / "networks").symlink_to(networks)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("BOXFIND_")]:
            patch.delenv(name)
        patch.setenv("BOXFIND_OFFLINE", "1")
        patch.setenv("BOXFIND_DATA", str(data))
        patch.setenv("BOXFIND_TEXT", "0")  # reading what is written takes 0.1 s a picture
        patch.setenv("BOXFIND_WATCH", "off")  # updates that start by themselves would disturb other tests
        patch.setenv("TORCH_HOME", str(data / "torch"))
        patch.setenv("HF_HUB_CACHE", str(data / "hub"))
        patch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(data / "hub"))
        yield data


@pytest.fixture(scope="session")
def make_embedder() -> Callable[..., Embedder]:
    """Create an embedder with the tiny network; keyword arguments change its recipe."""
    return lambda **changes: Embedder(replace(TINY_RECIPE, **changes), tiny_run)


@pytest.fixture(scope="session")
def tiny_embedder(make_embedder: Callable[..., Embedder]) -> Embedder:
    return make_embedder()


@pytest.fixture(scope="session")
def draw() -> Draw:
    """Draw a read-only image of coloured rectangles from a seed."""
    return draw_picture


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """A folder of eight lossless images, two of them in a subfolder."""
    return eight_pictures(tmp_path / "gallery")


@pytest.fixture(scope="session")
def pool() -> Iterator[DecoderPool]:
    """A decoder pool, started once per session."""
    with DecoderPool(2) as started:
        yield started


@pytest.fixture
def shared_pool(pool: DecoderPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let builds in this process use the session's decoder pool; starting one of their own takes a second."""
    monkeypatch.setattr(executors, "DecoderPool", lambda _: nullcontext(pool))


@pytest.fixture(scope="session")
def lite(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Milvus]":
    """A milvus-lite file, opened once. Skips the test if pymilvus or milvus-lite is not installed."""
    for library in ("pymilvus", "milvus_lite"):
        pytest.importorskip(library, reason=f'{library} is not installed: pip install -e ".[milvus]"')
    with lite_file(tmp_path_factory.mktemp("milvus") / "vectors.db") as opened:
        yield opened


@pytest.fixture
def build_index(tmp_path: Path, tiny_embedder: Embedder, pool: DecoderPool) -> BuildIndex:
    """Build an index in tmp_path/index; returns the folder of the served generation."""

    def built(
        folder: Path,
        workers: int = 1,
        embedder: Embedder = tiny_embedder,
        into: str = "index",
        full: bool = False,
        prepare: Prepare = no_preparation,
        notify: Notify = lambda _: None,
        rules: GalleryRules = DEFAULT_RULES,
        waves: WaveOptions | None = None,
    ) -> Path:
        executor = ThreadExecutor(embedder, pool, workers)
        options = BuildOptions(full=full, prepare=prepare, notify=notify, rules=rules, waves=waves)
        return build(folder, tmp_path / into, executor, quiet, options)

    return built
