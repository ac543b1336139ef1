"""The requested region detector is chosen, or the fallback with a message."""

import pytest

from retrieval.errors import RuntimeMissing, UnknownName, WeightsMissing
from retrieval.optional_packages import OptionalPackage
from retrieval.regions import region_detectors as detectors
from retrieval.regions.region_detectors import REGION_DETECTORS, choose_region_detector
from retrieval.types import Box


@pytest.fixture(autouse=True)
def nothing_fetched(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))


def test_the_one_without_weights_is_taken_without_a_word():
    assert choose_region_detector("proposals", offline=True) == (REGION_DETECTORS["proposals"], "")


@pytest.mark.parametrize("name", ["detector", "sam"])
def test_offline_the_others_give_way_and_say_what_is_missing(name, tmp_path, monkeypatch):
    monkeypatch.setattr(OptionalPackage, "installed", True)
    detector, sentence = choose_region_detector(name, offline=True)
    weights = REGION_DETECTORS[name].weights
    assert detector is REGION_DETECTORS["proposals"]
    assert sentence.startswith("Using the region detector proposals, which needs no weights. ")
    assert sentence.endswith(".")
    for part in (weights.file, f"{weights.megabytes} MB", "offline", "docs/models.md"):
        assert part in sentence
    assert str(tmp_path) not in sentence  # visitors read it
    with pytest.raises(WeightsMissing, match=weights.file):
        REGION_DETECTORS[name].start()


def test_a_missing_library_is_named_before_anything_is_fetched(monkeypatch):
    def fail(*_: object) -> None:
        raise AssertionError("fetched for nothing")

    monkeypatch.setattr(OptionalPackage, "installed", False)
    monkeypatch.setattr(detectors, "have_weights", fail)
    detector, sentence = choose_region_detector("sam", offline=False)
    assert detector is REGION_DETECTORS["proposals"]
    assert "sam needs the package transformers" in sentence
    assert '`pip install -e ".[sam]"`' in sentence
    with pytest.raises(RuntimeMissing, match=r"\[sam\]"):
        REGION_DETECTORS["sam"].start()


def test_online_what_cannot_be_fetched_is_as_good_as_offline(monkeypatch):
    def fail(*_: object) -> None:
        raise WeightsMissing("The network is away")

    monkeypatch.setattr(detectors, "have_weights", fail)
    detector, sentence = choose_region_detector("detector", offline=False)
    assert detector is REGION_DETECTORS["proposals"] and ". The network is away" in sentence


def test_with_its_weights_the_one_asked_for_is_taken(monkeypatch, tmp_path):
    monkeypatch.setattr(detectors, "have_weights", lambda *_: tmp_path / "there")
    assert choose_region_detector("detector", offline=True) == (REGION_DETECTORS["detector"], "")


def test_an_unknown_name():
    with pytest.raises(UnknownName, match="called 'yolo'; choose from: detector, proposals, sam"):
        choose_region_detector("yolo", offline=True)


def test_the_table_calls_each_by_its_name():
    assert all(detector.name == name for name, detector in REGION_DETECTORS.items())
    assert [name for name, detector in REGION_DETECTORS.items() if detector.weights is None] == ["proposals"]


def test_proposals_find_the_thing_in_a_picture(draw):
    image = draw(1, 320, 240)
    found = REGION_DETECTORS["proposals"].start()(image)
    assert 0 < len(found) <= 10 and found[0].score == 1
    assert [r.score for r in found] == sorted((r.score for r in found), reverse=True) and found[-1].score > 0
    assert {(region.kind, region.label) for region in found} == {("proposals", "")}
    assert all(region.box == region.box.clipped(320, 240) != Box.whole(image) for region in found)
