"""An int8 network is calibrated once, saved under its own name, and gives nearly the same features."""

import logging
from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import RuntimeMissing
from retrieval.networks.openvino_runtime import NotConvertible, has_quantised, quantise, start_openvino
from retrieval.networks.run_options import RunOptions
from retrieval.optional_packages import NNCF, OptionalPackage

pytestmark = pytest.mark.skipif(not NNCF.installed, reason='pip install -e ".[int8]"')


def small():
    """Four convolutions at stride 16 and 32, the last layer first."""
    import torch
    from torch import nn

    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.body = nn.Sequential(nn.Conv2d(3, 16, 4, 4), nn.ReLU(), nn.Conv2d(16, 16, 4, 4), nn.ReLU())
            self.head = nn.Sequential(nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU())

        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            fine = self.body(pixels.permute(0, 3, 1, 2).float() / 255)
            return self.head(fine), fine

    return Small().eval()


def pictures(draw, count=8):
    return [draw(seed, 96, 64)[None] for seed in range(count)]


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory, draw) -> tuple[Path, str]:
    converted = tmp_path_factory.mktemp("networks") / "small.xml"
    return converted, quantise(small, RunOptions(converted=converted), lambda: pictures(draw))


def test_int8_vectors_are_close_to_float32(calibrated, draw):
    converted, precision = calibrated
    exact = start_openvino(small, RunOptions("float32", converted=converted))
    quick = start_openvino(small, RunOptions(precision, converted=converted))
    for picture in pictures(draw):
        for layer, its in zip(exact(picture), quick(picture), strict=True):
            assert layer.shape == its.shape and its.dtype == np.float32
            assert not np.array_equal(layer, its)
            cosine = np.sum(layer * its) / np.linalg.norm(layer) / np.linalg.norm(its)
            assert cosine > 0.98


def test_int8_network_is_calibrated_once_and_named_by_its_hash(calibrated):
    converted, precision = calibrated
    assert quantise(small, RunOptions(converted=converted), lambda: pytest.fail("calibrated again")) == precision
    assert precision.startswith("int8-") and len(precision) == len("int8-") + 12
    assert has_quantised(RunOptions(precision, converted=converted))
    assert not has_quantised(RunOptions("int8-000000000000", converted=converted))
    assert not has_quantised(RunOptions("float32", converted=converted))
    assert sorted(path.name for path in converted.parent.glob("*.xml")) == [f"small-{precision}.xml", "small.xml"]


@pytest.mark.usefixtures("calibrated")
def test_quantising_does_not_silence_other_loggers(caplog):
    logging.getLogger("boxfind").warning("still heard")
    assert caplog.messages == ["still heard"]


def test_missing_nncf_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("retrieval.networks.openvino_runtime.NNCF", OptionalPackage("nncf", "no_such_module", "int8"))
    with pytest.raises(RuntimeMissing, match=r"int8 needs the package nncf.*\[int8\]"):
        quantise(small, RunOptions(converted=tmp_path / "small.xml"), list)


def test_r68_an_int8_network_that_cannot_be_saved_is_reported_before_the_calibration(tmp_path):
    (tmp_path / "networks").touch()  # a file where the folder should be
    with pytest.raises(RuntimeMissing, match=r"int8 network cannot be saved in .*networks, which is not writable"):
        quantise(small, RunOptions(converted=tmp_path / "networks" / "small.xml"), lambda: pytest.fail("in vain"))


def test_a_network_that_ignores_the_size_of_pictures_is_not_convertible():
    """Its size is frozen when it is converted, as positions of a transformer would be."""
    import torch

    class Frozen(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            layer = pixels.permute(0, 3, 1, 2).float() * float(pixels.shape[2])
            return layer, layer

    with pytest.raises(NotConvertible, match="computes other features than the original"):
        start_openvino(lambda: Frozen().eval(), RunOptions(proven=False))
    assert start_openvino(lambda: Frozen().eval(), RunOptions())(np.ones((1, 32, 64, 3), np.uint8))[0].shape[3] == 64


def test_a_network_that_openvino_cannot_express_is_not_convertible():
    import torch

    class Eigenvalues(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            layer = pixels.permute(0, 3, 1, 2).float()
            values = torch.linalg.eigvals(layer[:, :, :8, :8]).real
            return layer, layer + values.sum()

    with pytest.raises(NotConvertible, match=r"^OpenVINO cannot run it \(.+\)\.$"):
        start_openvino(lambda: Eigenvalues().eval(), RunOptions(proven=False))


def test_a_network_whose_features_are_no_numbers_is_not_convertible():
    import torch

    class Undefined(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            layer = pixels.permute(0, 3, 1, 2).float()
            return layer, layer / (layer * 0) * 0

    with pytest.raises(NotConvertible, match="computes other features than the original"):
        start_openvino(lambda: Undefined().eval(), RunOptions(proven=False))
