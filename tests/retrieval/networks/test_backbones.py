"""The requested backbone is chosen, or a fallback with a message; its weights are the published ones."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from retrieval.errors import RuntimeMissing, UnknownName, WeightsMissing
from retrieval.networks import backbones
from retrieval.networks.backbones import BACKBONES, BUNDLED, choose_backbone, find_backbone
from retrieval.networks.network_names import ALIASES, short_name
from retrieval.networks.torchvision_compat import import_torchvision
from retrieval.networks.weights import file_sha256, need_weights
from retrieval.optional_packages import OptionalPackage
from retrieval.regions.region_detectors import REGION_DETECTORS

MODELS = Path(__file__).parents[3] / "docs" / "models.md"
PUBLISHED = {
    "resnet18": "ResNet18_Weights.IMAGENET1K_V1",
    "resnet50": "ResNet50_Weights.IMAGENET1K_V2",
    "vgg16": "VGG16_Weights.IMAGENET1K_V1",
    "efficientnet-b0": "EfficientNet_B0_Weights.IMAGENET1K_V1",
    "efficientnet-b1": "EfficientNet_B1_Weights.IMAGENET1K_V1",
    "efficientnet-b2": "EfficientNet_B2_Weights.IMAGENET1K_V1",
    "fasterrcnn-resnet50": "FasterRCNN_ResNet50_FPN_Weights.COCO_V1",
}


@pytest.fixture(autouse=True)
def nothing_fetched(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))


def test_auto_falls_back_to_the_bundled_backbone_offline(tmp_path: Path):
    backbone, sentence = choose_backbone("auto", offline=True)
    assert backbone.name == BUNDLED == "efficientnet-lite0"
    assert sentence.startswith("Using the bundled backbone efficientnet-lite0. ")
    assert "resnet50-11ad3fa6.pth (103 MB)" in sentence and "offline" in sentence
    assert sentence.endswith("(docs/models.md).") and str(tmp_path) not in sentence  # visitors read it


@pytest.mark.parametrize("name", ALIASES)
def test_named_backbone_is_not_replaced_offline(name, monkeypatch):
    monkeypatch.setattr(OptionalPackage, "installed", True)
    with pytest.raises(WeightsMissing, match=find_backbone(name).weights.file):
        choose_backbone(name, offline=True)


def test_bundled_backbone_is_always_available():
    assert choose_backbone(BUNDLED, offline=True) == (BACKBONES[BUNDLED], "")


def test_failed_download_falls_back_only_for_auto(monkeypatch):
    def fail(*_: object) -> None:
        raise WeightsMissing("The network is away")

    monkeypatch.setattr(backbones, "have_weights", fail)
    backbone, sentence = choose_backbone("auto", offline=False)
    assert backbone.name == BUNDLED and "The network is away" in sentence
    with pytest.raises(WeightsMissing, match="The network is away"):
        choose_backbone("resnet50", offline=False)


def test_missing_package_is_reported_before_a_download(monkeypatch):
    def fail(*_: object) -> None:
        raise AssertionError("fetched for nothing")

    monkeypatch.setattr(OptionalPackage, "installed", False)
    monkeypatch.setattr(backbones, "have_weights", fail)
    with pytest.raises(RuntimeMissing, match=r"RN50/openai needs .* open-clip-torch.*`pip install -e \"\.\[clip\]"):
        choose_backbone("clip-rn50", offline=False)


def test_auto_falls_back_without_torchvision(monkeypatch):
    monkeypatch.setattr(OptionalPackage, "installed", False)
    backbone, sentence = choose_backbone("auto", offline=False)
    assert backbone.name == BUNDLED and "torchvision:resnet50 needs the package torchvision" in sentence


def test_weights_on_disk_give_no_message(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(backbones, "have_weights", lambda *_: tmp_path / "there")
    assert choose_backbone("auto", offline=True) == (find_backbone("resnet50"), "")


def test_auto_keeps_a_backbone_that_somebody_chose(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(backbones, "have_weights", lambda *_: tmp_path / "there")
    assert choose_backbone("auto", True, before="vgg16") == (find_backbone("vgg16"), "")
    assert choose_backbone("auto", True, before=BUNDLED) == (find_backbone("resnet50"), "")
    assert choose_backbone("auto", True, before="gone") == (find_backbone("resnet50"), "")
    assert choose_backbone("resnet50", True, before="vgg16") == (find_backbone("resnet50"), "")


def test_auto_leaves_a_backbone_whose_weights_are_gone():
    assert choose_backbone("auto", True, before="vgg16")[0].name == BUNDLED


def test_unknown_name_lists_the_choices():
    with pytest.raises(
        UnknownName,
        match=r"choose from: auto, clip-rn50, efficientnet-b0, .*, vgg16, or timm:MODEL, open_clip:",
    ):
        choose_backbone("resnet51", offline=True)


@pytest.mark.parametrize(("name", "published"), PUBLISHED.items(), ids=PUBLISHED)
def test_weights_match_url_hash_and_size_of_torchvision(name, published):
    import_torchvision()
    from torchvision.models import get_weight

    entry, theirs = find_backbone(name).weights, get_weight(published)
    assert entry.url == theirs.url and theirs.url.endswith("/" + entry.file)
    beginning = theirs.url.removesuffix(".pth").rpartition("-")[2]  # what torchvision itself compares with
    assert entry.sha256.startswith(beginning) and len(beginning) == 8
    assert entry.megabytes == round(theirs.meta["_file_size"] * 2**20 / 10**6)


def test_table_is_consistent_and_pins_weights():
    for name, backbone in BACKBONES.items():
        assert (
            find_backbone(short_name(name)) is backbone
            and backbone.name == name
            and len(backbone.weights.sha256) in (8, 64)
        )
        assert backbone.licence in ("Apache-2.0", "BSD-3-Clause", "MIT")
        assert (backbone.weights.package is None) != (backbone.weights.url is None)
        assert (backbone.needs is None) == (name == BUNDLED)
    assert len(find_backbone("resnet50").weights.sha256) == 64
    assert {short_name(name) for name in BACKBONES} - PUBLISHED.keys() == {BUNDLED, "clip-rn50"}
    bundled = BACKBONES[BUNDLED].weights
    path = need_weights(bundled)
    assert file_sha256(path) == bundled.sha256 and round(path.stat().st_size / 10**6) == bundled.megabytes
    with pytest.raises(WeightsMissing):
        need_weights(replace(bundled, sha256="0" * 64))


def test_models_document_lists_every_file_with_size_and_licence():
    _, _, described = MODELS.read_text(encoding="utf-8").partition("## Networks described in Boxfind")
    lines = [line for line in described.splitlines() if line.startswith("| `")]
    entries = {short_name(name): (backbone.licence, backbone.weights) for name, backbone in BACKBONES.items()}
    entries |= {
        name: (detector.licence, detector.weights) for name, detector in REGION_DETECTORS.items() if detector.weights
    }
    for name, (licence, weights) in entries.items():
        (line,) = [line for line in lines if line.startswith(f"| `{name}`")]
        _, _, code, of_weights, _, file, megabytes, source, _ = (cell.strip() for cell in line.split("|"))
        assert (code, of_weights, file, megabytes) == (licence, licence, weights.file, str(weights.megabytes))
        assert (weights.package or urlsplit(weights.url).netloc) in source
    assert len(lines) == len(entries) + 1  # and proposals
