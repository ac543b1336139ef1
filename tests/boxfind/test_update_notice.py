"""An update that reads all pictures again is announced with its reason and its time, and only if it does."""

import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from boxfind import embedders
from boxfind import update_notice as module
from boxfind.embedders import make_recipe, region_sources
from boxfind.engine import Engine
from boxfind.settings import Settings
from boxfind.update_notice import UpdateNotice
from index.storage.manifest import read_manifest
from retrieval.errors import WeightsMissing
from retrieval.networks.backbones import BACKBONES
from retrieval.regions.proposals import propose_regions
from retrieval.types import Box, quiet
from tests.tiny import use_tiny_network

LITE0 = BACKBONES["efficientnet-lite0"]
CHANGED = "precision changed from bfloat16 to float32"
pytestmark = pytest.mark.usefixtures("shared_pool")


@pytest.fixture(autouse=True)
def float32_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with the tiny network, without bfloat16, for which eight pictures are many."""
    use_tiny_network(monkeypatch)
    monkeypatch.setattr(embedders, "choose_runtime", lambda name, precision: (None, "float32"))
    monkeypatch.setattr(module, "FEW", 1)
    monkeypatch.setattr(module, "MOMENT", 60.0)


@pytest.fixture
def settings(gallery: Path, tmp_path: Path) -> Settings:
    return Settings.load(gallery=gallery, index=tmp_path / "index", side=128, query_side=64, workers=2)


@pytest.fixture
def manifest(settings, build_index, make_embedder):
    """The manifest of an index that was built in bfloat16 on another machine."""
    recipe = make_recipe(LITE0, settings, region_sources(settings)[0], "bfloat16")
    embedder = replace(make_embedder(), recipe=recipe, detectors={"proposals": propose_regions})
    return read_manifest(build_index(settings.gallery_dir, embedder=embedder))


def test_r75_an_index_from_another_machine_is_compared_first(settings, manifest):
    engine, said = Engine(settings), []
    notice = engine.builds.update_notice(engine.gallery())
    assert notice == (
        "The update first compares the results of bfloat16 and float32. If they differ, all 8 pictures are read again, "
        f"a few seconds: {CHANGED}."
    )
    engine.builds.build(quiet, notify=said.append)
    kept = engine.gallery(newest=True)
    assert len(said) == 1 and "not read again" in said[0] and kept.manifest.recipe == manifest.recipe
    assert kept.manifest.precisions["float32"] > 0.999 and engine.builds.update_notice(kept) == ""
    picture = engine.visitor_pictures.read((settings.gallery_dir / "2.png").read_bytes(), "2.png")
    assert engine.search(kept, picture.image, Box(0, 0, 128, 96))[0].image == "2.png"


def test_r75_a_precision_that_is_asked_for_is_announced_with_the_time(settings, manifest, monkeypatch):
    monkeypatch.setattr("index.building.build.FEW", 1)
    asked, said = Engine(settings.changed(precision="float32")), []
    before = asked.builds.update_notice(asked.gallery())
    assert before == f"All 8 pictures are read again, a few seconds: {CHANGED}."
    asked.builds.build(quiet, notify=said.append)
    assert said == [before]
    now = asked.gallery(newest=True).manifest
    assert now.recipe.precision == "float32" and (now.changes.kept, now.changes.reread) == (8, 8)


def test_r75_slow_measurements_are_not_waited_for(settings, manifest, monkeypatch):
    ready = threading.Event()
    monkeypatch.setattr(module, "MOMENT", 0.0)
    monkeypatch.setattr(module, "seconds_per_picture", lambda *_: 60.0 if ready.wait(60) else None)
    notice = UpdateNotice(settings.changed(keypoints=0, precision="float32"))
    changes = f"{CHANGED}; keypoints changed from 500 to 0"
    assert notice.sentence(manifest) == f"All 8 pictures are read again: {changes}."
    ready.set()
    monkeypatch.setattr(module, "MOMENT", 60.0)
    assert notice.sentence(manifest) == f"All 8 pictures are read again, about 8 min: {changes}."


def test_r75_the_reason_is_announced_though_the_time_is_unknown(settings, manifest, monkeypatch):
    def missing(*_: object) -> None:
        raise WeightsMissing("The weights are missing")

    monkeypatch.setattr(module, "describing_embedder", missing)
    notices = [UpdateNotice(settings.changed(side=64, engine=engine)) for engine in ("local", "ray")]
    for notice in notices:
        assert re.match(r"All 8 pictures are read again: image side changed from 128 to 64", notice.sentence(manifest))


def test_r75_visitors_do_not_have_it_measured(settings, manifest, monkeypatch):
    calls = []
    monkeypatch.setattr(module, "seconds_per_picture", lambda *_: calls.append("measured") or 60.0)
    notice = UpdateNotice(settings.changed(precision="float32"))
    assert notice.sentence(manifest, measure=False) == f"All 8 pictures are read again: {CHANGED}." and not calls
    for measure in (True, False):
        assert notice.sentence(manifest, measure) == f"All 8 pictures are read again, about 8 min: {CHANGED}."
    assert calls == ["measured"]


def test_a_rebuild_says_how_much_it_reads_and_for_how_long(settings, manifest, monkeypatch):
    notice = UpdateNotice(settings)
    monkeypatch.setattr(module, "seconds_per_picture", lambda embedder, workers: 60.0)
    assert notice.rebuild_sentence(manifest) == "Re-reads all 8 pictures, about 8 min."
    monkeypatch.setattr(module, "FEW", 100)
    assert notice.rebuild_sentence(manifest) == "Re-reads all 8 pictures."


def test_a_rebuild_whose_time_is_unknown_says_so(settings, manifest, monkeypatch):
    notice = UpdateNotice(settings)
    monkeypatch.setattr(notice, "_seconds", lambda *_, **__: None)
    assert notice.rebuild_sentence(manifest) == "Re-reads all 8 pictures. The time is not known yet."
