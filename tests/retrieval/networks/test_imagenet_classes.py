"""The classifier is loaded from a checkpoint and predicts region classes."""

import sys

import numpy as np
import pytest
import torch

from retrieval.errors import RuntimeMissing
from retrieval.networks.backbones import BACKBONES, BUNDLED
from retrieval.networks.imagenet_classes import TOP, Classifier, class_names, load_classifier
from retrieval.networks.weights import need_weights


def random_classifier(classes: int = 50, channels: int = 8) -> Classifier:
    rng = np.random.default_rng(3)
    weight, bias = rng.normal(size=(classes, channels)), rng.normal(size=classes)
    return Classifier(weight.astype(np.float32), bias.astype(np.float32))


def test_probabilities_equal_those_of_torch_most_likely_first():
    classifier = random_classifier()
    features = np.random.default_rng(4).normal(size=(30, 8)).astype(np.float32)
    features.setflags(write=False)
    classes, shares = classifier.likely(features)
    assert classes.shape == shares.shape == (30, TOP)
    assert classes.dtype == np.int16 and shares.dtype == np.float16
    layer = torch.nn.functional.linear(*map(torch.from_numpy, (features.copy(), classifier.weight, classifier.bias)))
    expected = layer.softmax(dim=1).topk(TOP)
    assert np.array_equal(classes, expected.indices.numpy())
    assert shares == pytest.approx(expected.values.numpy(), rel=1e-3, abs=1e-6)


def test_probabilities_sum_to_one_for_huge_logits():
    classes, shares = random_classifier(classes=6).likely(np.full((2, 8), 1e4, np.float32), top=6)
    assert sorted(classes[0]) == list(range(6)) and shares.sum(axis=1) == pytest.approx(1, abs=1e-3)


def test_ties_are_ordered_by_class_number():
    bias = np.zeros(12, np.float32)
    bias[[3, 5, 9]] = 1
    classes, shares = Classifier(np.zeros((12, 4), np.float32), bias).likely(np.ones((1, 4), np.float32), top=3)
    assert classes.tolist() == [[3, 5, 9]] and np.ptp(shares) == 0


def test_fewer_classes_than_requested_are_all_returned():
    classes, _ = random_classifier(classes=4).likely(np.ones((3, 8), np.float32), top=10)
    assert classes.shape == (3, 4)


@pytest.mark.parametrize("layer", ["_fc", "fc", "classifier.1"])
def test_classifier_layer_is_found_by_any_of_its_names(tmp_path, layer):
    weight, bias = torch.rand(1000, 16), torch.rand(1000)
    others = {"conv1.weight": torch.rand(3, 3), "classifier.weight": torch.rand(1000, 16)}
    torch.save({**others, f"{layer}.weight": weight, f"{layer}.bias": bias}, tmp_path / "weights.pth")
    found = load_classifier(tmp_path / "weights.pth")
    assert found is not None
    assert np.array_equal(found.weight, weight.numpy()) and np.array_equal(found.bias, bias.numpy())


def test_classifier_is_cached_and_a_damaged_cache_is_replaced(tmp_path):
    torch.save({"fc.weight": torch.rand(10, 4), "fc.bias": torch.rand(10)}, tmp_path / "weights.pth")
    kept = tmp_path / "networks" / "kept.npz"
    made = load_classifier(tmp_path / "weights.pth", kept)
    again = load_classifier(tmp_path / "gone.pth", kept)
    assert made is not None and again is not None
    assert np.array_equal(again.weight, made.weight) and np.array_equal(again.bias, made.bias)
    kept.write_bytes(kept.read_bytes()[:200])
    mended = load_classifier(tmp_path / "weights.pth", kept)
    assert mended is not None and np.array_equal(mended.weight, made.weight)
    assert [path.name for path in kept.parent.iterdir()] == ["kept.npz"]
    assert load_classifier(tmp_path / "gone.pth", kept) is not None


def test_r68_a_classifier_that_cannot_be_saved_is_kept_in_memory(tmp_path, caplog):
    torch.save({"fc.weight": torch.rand(10, 4), "fc.bias": torch.rand(10)}, tmp_path / "weights.pth")
    (tmp_path / "networks").touch()  # a file where the folder should be
    for _ in range(2):
        assert load_classifier(tmp_path / "weights.pth", tmp_path / "networks" / "kept.npz") is not None
    assert len(caplog.messages) == 1 and "cannot be saved" in caplog.messages[0]


def test_network_with_several_classifier_layers_has_none(tmp_path):
    layers = {f"classifier.{layer}.weight": torch.rand(2, 2) for layer in (0, 3, 6)}
    torch.save(layers, tmp_path / "vgg16.pth")
    assert load_classifier(tmp_path / "vgg16.pth") is None


def test_bundled_backbone_has_a_matching_classifier():
    classifier = load_classifier(need_weights(BACKBONES[BUNDLED].weights))
    assert classifier is not None
    assert classifier.weight.shape == (1000, BACKBONES[BUNDLED].channels[0]) and classifier.bias.shape == (1000,)


def test_class_names_are_in_imagenet_order():
    names = class_names()
    assert len(names) == 1000
    assert (names[0], names[388], names[999]) == ("tench", "giant panda", "toilet tissue")


def test_missing_torchvision_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(RuntimeMissing, match=r"torchvision.*pip install"):
        class_names()
