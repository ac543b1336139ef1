"""What is searched, in words."""

from dataclasses import replace

import pytest

from boxfind.engine import Engine
from boxfind.search_scope import SearchScope, scope_of
from boxfind.settings import Settings
from boxfind.time_left import LONG, in_words, time_left
from index.building.describe_all import READING
from index.building.jobs import BuildState
from index.gallery import open_gallery
from index.storage.generation import current_folder
from tests.tiny import use_tiny_network
from tests.waves import make_wave

PART = SearchScope(("gen-000001-aaaa",), 12400, 98310)
RUNNING = BuildState(
    state="running", pid=1, started=0.0, stage=READING, stage_started=0.0, now=600.0, done=1000, total=5100
)


def test_the_counts_of_all_galleries_are_added(build_index, gallery, tmp_path):
    whole = scope_of([open_gallery(build_index(gallery))])
    assert (whole.pictures, whole.found, whole.counts, whole.sentence(RUNNING)) == (8, None, "8 pictures", "")
    make_wave(tmp_path / "index", found=20)
    part = open_gallery(current_folder(tmp_path / "index"))
    assert scope_of([part]).counts == "8 of 20 pictures"
    both = scope_of([part, open_gallery(build_index(gallery, into="other"))], text=3)
    assert (both.counts, both.text, len(both.generations)) == ("16 of 28 pictures", 3, 2)
    assert both != scope_of([part]) and replace(both, text=0) != both


def test_a_gallery_that_has_more_pictures_than_were_expected(build_index, gallery, tmp_path):
    build_index(gallery)
    make_wave(tmp_path / "index", found=3)
    assert scope_of([open_gallery(current_folder(tmp_path / "index"))]).counts == "8 of 8 pictures"


def test_r90_a_build_that_goes_on_and_one_that_stopped():
    assert PART.sentence(RUNNING) == "Searching 12,400 of 98,310 pictures · 41 min left"
    other = RUNNING.model_copy(update={"stage": "Writing the index"})
    assert PART.sentence(other) == "Searching 12,400 of 98,310 pictures"
    stopped = "Searching 12,400 of 98,310 pictures; the build was stopped. Update continues it."
    for state in ("cancelled", "failed", "done"):
        assert PART.sentence(RUNNING.model_copy(update={"state": state})) == stopped
    assert PART.sentence(None) == stopped


@pytest.mark.parametrize(("seconds", "words"), [(60, "60 s left"), (89, "89 s left"), (2460, "41 min left")])
def test_the_time_left(seconds, words):
    assert in_words(seconds) == words


@pytest.mark.usefixtures("shared_pool")
def test_a_build_has_the_stage_whose_time_is_told(gallery, tmp_path, monkeypatch):
    use_tiny_network(monkeypatch)
    stages = []
    settings = Settings.load(gallery=gallery, index=tmp_path / "index", side=128, query_side=64, grid_levels=2)
    Engine(settings).builds.build(lambda stage, *_: stages.append(stage))
    assert set(LONG) & set(stages) and time_left(RUNNING.model_copy(update={"done": 0})) == ""
