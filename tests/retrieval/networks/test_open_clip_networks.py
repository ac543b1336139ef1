"""CLIP loads from its published format; image cells and sentences share one space."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from retrieval.networks.backbones import BACKBONES, find_backbone
from retrieval.networks.open_clip_networks import make_clip, make_text
from retrieval.networks.torchvision_compat import import_torchvision
from retrieval.optional_packages import OPEN_CLIP

pytestmark = pytest.mark.skipif(not OPEN_CLIP.installed, reason='pip install -e ".[clip]"')
WIDTH, CHANNELS = 8, 32
"""Channels of the small network's first layer and of its joint space."""


class Tree(nn.Module):
    """A module with tensors under their dotted names and no computation, like a model in a weights archive."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def as_tree(state: dict[str, torch.Tensor]) -> Tree:
    root = Tree()
    for name, tensor in state.items():
        *folders, last = name.split(".")
        place: nn.Module = root
        for folder in folders:
            if folder not in place._modules:
                place.add_module(folder, Tree())
            place = place._modules[folder]
        place.register_buffer(last, tensor)
    return root


def save_as_openai_does(state: dict[str, torch.Tensor], path: Path) -> Path:
    """A TorchScript archive of the weights and the model's three constants."""
    numbers = {"input_resolution": 224, "context_length": 77, "vocab_size": 49408}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch deprecates the format
        archive = torch.jit.script(as_tree({**state, **{key: torch.tensor(n) for key, n in numbers.items()}}))
        torch.jit.save(archive, path)
    return path


def small_clip():
    """A narrower, shallower RN50 CLIP with random weights, in float16 where OpenAI's is."""
    import_torchvision()
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg, convert_weights_to_fp16

    torch.manual_seed(0)
    vision = CLIPVisionCfg(layers=(1, 1, 2, 1), width=WIDTH, image_size=224)
    text = CLIPTextCfg(context_length=77, vocab_size=49408, width=64, heads=1, layers=2)
    model = CLIP(CHANNELS, vision, text, quick_gelu=True).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bn3.weight"):
            nn.init.ones_(parameter)  # the initial zeros would disable the block
    convert_weights_to_fp16(model)
    return model


@pytest.fixture(scope="module")
def model():
    return small_clip()


@pytest.fixture(scope="module")
def weights(model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_as_openai_does(model.state_dict(), tmp_path_factory.mktemp("weights") / "RN50.pt")


def layers(network: nn.Module, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
    with torch.inference_mode():
        return tuple(np.asarray(layer) for layer in network(torch.from_numpy(pixels.copy())))


def normalised(pixels: np.ndarray) -> torch.Tensor:
    from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD

    values = (pixels / 255 - OPENAI_DATASET_MEAN) / OPENAI_DATASET_STD
    return torch.tensor(values.transpose(0, 3, 1, 2), dtype=torch.float32)


def test_checkpoint_fixture_is_a_torchscript_archive(weights: Path):
    with pytest.raises(Exception, match=r"TorchScript|torch\.jit"):
        torch.load(weights, weights_only=True)


@pytest.mark.parametrize(("height", "width"), [(224, 224), (96, 160)])
def test_images_of_any_size_give_two_layers(weights, draw, height, width):
    coarse, fine = layers(make_clip(weights), np.stack([draw(1, width, height), draw(2, width, height)]))
    assert coarse.dtype == fine.dtype == np.float32
    assert coarse.shape == (2, CHANNELS, height // 32, width // 32)
    assert fine.shape == (2, WIDTH * 16, height // 16, width // 16)
    assert min(coarse.std(axis=(2, 3)).mean(), fine.std(axis=(2, 3)).mean()) > 1e-4
    assert find_backbone("clip-rn50").channels == (1024, 1024)  # width 64: 64 * 16, and the joint space


def test_finer_layer_is_the_third_stage(model, weights, draw):
    pixels = draw(3, 128, 96)[None]
    visual = small_clip().float().visual
    with torch.inference_mode():
        own = visual.forward_intermediates(normalised(pixels), indices=[3], intermediates_only=True)
    expected = own["image_intermediates"][0].numpy()
    assert layers(make_clip(weights), pixels)[1] == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_mean_of_the_dense_layer_equals_clip_for_uniform_attention(tmp_path: Path, draw):
    even = small_clip()
    nn.init.zeros_(even.visual.attnpool.q_proj.weight)
    nn.init.zeros_(even.visual.attnpool.q_proj.bias)
    path = save_as_openai_does(even.state_dict(), tmp_path / "RN50.pt")
    pixels = draw(4, 224, 224)[None]
    with torch.inference_mode():
        own = even.float().encode_image(normalised(pixels))[0].numpy()
    found = layers(make_clip(path), pixels)[0][0].mean(axis=(1, 2))
    assert found == pytest.approx(own, rel=1e-3, abs=1e-4 * float(np.abs(own).max()))


def test_sentence_is_a_unit_vector_of_the_image_space(model, weights):
    from open_clip import get_tokenizer

    describe = make_text(weights)
    panda, car = describe("a panda"), describe("a red car")
    assert panda.shape == (CHANNELS,) and panda.dtype == np.float32
    assert np.linalg.norm(panda) == pytest.approx(1, abs=1e-5) and float(panda @ car) < 0.9999
    with torch.inference_mode():
        own = small_clip().float().encode_text(get_tokenizer("RN50")(["a panda"]), normalize=True)[0].numpy()
    assert panda == pytest.approx(own, abs=1e-4)
    assert (describe("A  PANDA ") == panda).all()


def test_long_and_empty_sentences_have_vectors(weights):
    describe = make_text(weights)
    assert (describe("panda " * 100) == describe("panda " * 500)).all()
    assert np.linalg.norm(describe("")) == pytest.approx(1, abs=1e-5)


def test_tokenizer_needs_no_network(monkeypatch):
    """CLIP's token ids: start, `hello`, `world`, `!`, end."""
    import socket

    from open_clip import SimpleTokenizer

    def fail(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", fail)
    assert SimpleTokenizer()("hello world!")[0, :6].tolist() == [49406, 3306, 1002, 256, 49407, 0]


def test_table_entry_has_image_and_text_encoder(weights):
    entry = find_backbone("clip-rn50")
    assert entry.make is make_clip and entry.text is make_text and entry.licence == "MIT"
    assert entry.weights.sha256 in entry.weights.url and len(entry.weights.sha256) == 64
    assert [name for name, backbone in BACKBONES.items() if backbone.text] == ["open_clip:RN50/openai"]
    from open_clip.pretrained import get_pretrained_url

    assert get_pretrained_url("RN50", "openai") == entry.weights.url
