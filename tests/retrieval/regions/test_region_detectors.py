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


def test_proposals_need_no_weights_and_give_no_message():
    assert choose_region_detector("proposals", offline=True) == (REGION_DETECTORS["proposals"], "")


@pytest.mark.parametrize("name", ["detector", "sam"])
def test_detector_without_weights_falls_back_offline(name, tmp_path, monkeypatch):
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


def test_missing_package_is_reported_before_a_download(monkeypatch):
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


def test_failed_download_falls_back(monkeypatch):
    def fail(*_: object) -> None:
        raise WeightsMissing("The network is away")

    monkeypatch.setattr(detectors, "have_weights", fail)
    detector, sentence = choose_region_detector("detector", offline=False)
    assert detector is REGION_DETECTORS["proposals"] and ". The network is away" in sentence


def test_requested_detector_with_weights_is_chosen(monkeypatch, tmp_path):
    monkeypatch.setattr(detectors, "have_weights", lambda *_: tmp_path / "there")
    assert choose_region_detector("detector", offline=True) == (REGION_DETECTORS["detector"], "")


def test_unknown_name_lists_the_choices():
    with pytest.raises(UnknownName, match="called 'yolo'; choose from: detector, proposals, sam"):
        choose_region_detector("yolo", offline=True)


def test_table_keys_are_the_names():
    assert all(detector.name == name for name, detector in REGION_DETECTORS.items())
    assert [name for name, detector in REGION_DETECTORS.items() if detector.weights is None] == ["proposals"]


def test_proposals_detector_finds_regions(draw):
    image = draw(1, 320, 240)
    found = REGION_DETECTORS["proposals"].start()(image)
    assert 0 < len(found) <= 10 and found[0].score == 1
    assert [r.score for r in found] == sorted((r.score for r in found), reverse=True) and found[-1].score > 0
    assert {(region.kind, region.label) for region in found} == {("proposals", "")}
    assert all(region.box == region.box.clipped(320, 240) != Box.whole(image) for region in found)
