"""Networks of timm and open_clip load from files of the hub, and their cells are where the picture shows them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from retrieval.errors import UnknownName, WeightsMissing
from retrieval.networks.backbone import Backbone
from retrieval.networks.backbones import choose_backbone, find_backbone
from retrieval.networks.open_clip_networks import TOKENIZER_FILES, open_clip_library
from retrieval.networks.openvino_runtime import start_openvino
from retrieval.networks.recommended_networks import RECOMMENDED
from retrieval.networks.run_options import RunOptions
from retrieval.networks.runtimes import start_torch_cpu
from retrieval.networks.timm_networks import timm_library
from retrieval.networks.weights import need_weights
from retrieval.optional_packages import OPEN_CLIP, TIMM
from retrieval.types import Run
from tests.hub import COMMIT, keep
from tests.random_networks import CLIPS, PATCH14, SMALL_TEXT, TAG, keep_clip, keep_timm, random_timm, register_patch14

pytestmark = pytest.mark.skipif(not (TIMM.installed and OPEN_CLIP.installed), reason='pip install -e ".[timm,clip]"')
TRANSFORMERS = ("test_vit.r160_in1k", PATCH14, "vit_tiny_patch16_dinov3_qkvb.eupe_lvd1689m")
NAMES = [f"timm:{name}" for name in (*TRANSFORMERS, "test_convnext.r160_in1k", "test_resnet.r160_in1k")] + [
    f"open_clip:{name}/{TAG}" for name in CLIPS
]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory):
    """The hub's cache with random weights of all networks."""
    folder = tmp_path_factory.mktemp("hub")
    register_patch14()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
        for name in NAMES:
            library, _, model = name.partition(":")
            if library == "timm":
                keep_timm(folder, model)
            else:
                keep_clip(folder, folder / "configs", model.partition("/")[0], patch)
        yield folder


@pytest.fixture(scope="module", params=NAMES)
def network(request: pytest.FixtureRequest, hub: Path) -> tuple[Backbone, Run]:
    """A backbone as a build chooses it offline, and torch running it."""
    backbone, note = choose_backbone(request.param, offline=True)
    assert not note and backbone.name == request.param
    return backbone, start_torch_cpu(lambda: backbone.make(need_weights(backbone.weights)), RunOptions())


def noise(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (count, height, width, 3), np.uint8)


@pytest.mark.parametrize(("rows", "columns"), [(6, 9), (10, 3), (1, 1)])
def test_pictures_of_any_shape_give_whole_cells(network, rows, columns):
    backbone, run = network
    coarse, fine = run(noise(2, rows * backbone.stride, columns * backbone.stride))
    assert coarse.shape == (2, backbone.channels[0], rows, columns) and coarse.dtype == np.float32
    assert fine.shape[:2] == (2, backbone.channels[1]) and fine.shape[2] * columns == fine.shape[3] * rows
    assert np.isfinite(coarse).all() and np.isfinite(fine).all()


def test_the_recipe_can_name_file_and_revision(network):
    backbone, _ = network
    path = need_weights(backbone.weights)
    assert path.resolve().name == backbone.weights.sha256 and len(backbone.weights.sha256) == 64
    assert backbone.weights.revision == COMMIT and backbone.weights.megabytes == round(path.stat().st_size / 10**6)


def test_a_batch_equals_single_pictures(network):
    backbone, run = network
    pixels = noise(3, 4 * backbone.stride, 5 * backbone.stride)
    together = run(pixels)
    for number in range(3):
        for layer, alone in zip(together, run(pixels[number : number + 1]), strict=True):
            assert layer[number] == pytest.approx(alone[0], abs=1e-3 * float(np.abs(layer).max()))


def test_a_bright_square_changes_its_own_cell_most(network):
    backbone, run = network
    stride, (row, column) = backbone.stride, (2, 5)
    black = np.zeros((1, 6 * stride, 8 * stride, 3), np.uint8)
    lit = black.copy()
    lit[:, row * stride : (row + 1) * stride, column * stride : (column + 1) * stride] = 255
    for before, after in zip(run(black), run(lit), strict=True):
        change = np.linalg.norm(after[0] - before[0], axis=0)  # (h, w)
        scale = change.shape[0] // 6
        found = np.array(np.unravel_index(change.argmax(), change.shape)) // scale
        assert tuple(found) == (row, column)


def test_openvino_computes_the_same_for_every_shape(network, tmp_path: Path):
    backbone, run = network
    options = RunOptions(converted=tmp_path / "network.xml", stride=backbone.stride, proven=False)
    converted = start_openvino(lambda: backbone.make(need_weights(backbone.weights)), options)
    for shape in ((1, 3, 7), (2, 8, 5)):
        pixels = noise(shape[0], shape[1] * backbone.stride, shape[2] * backbone.stride)
        for theirs, ours in zip(converted(pixels), run(pixels), strict=True):
            assert theirs == pytest.approx(ours, abs=1e-3 * float(np.abs(ours).max()))


@pytest.mark.parametrize("name", ["test_convnext.r160_in1k", "test_resnet.r160_in1k"])
def test_a_shift_by_one_cell_shifts_the_map(hub, name):
    backbone = find_backbone(f"timm:{name}")
    run = start_torch_cpu(lambda: backbone.make(need_weights(backbone.weights)), RunOptions())
    picture = noise(1, 12 * backbone.stride, 20 * backbone.stride)
    left, right = run(picture[:, :, :-32])[0], run(picture[:, :, 32:])[0]
    inside = left[..., 4:-4, 6:-5], right[..., 4:-4, 5:-6]  # away from the edges, which differ
    assert inside[0] == pytest.approx(inside[1], abs=0.02 * float(np.abs(left).max()))


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_cells_are_the_patch_tokens_of_timm(hub, name):
    """At the size of training, without resized position embeddings; class token and registers are left out."""
    own, backbone = random_timm(name), find_backbone(f"timm:{name}")
    side = own.patch_embed.img_size[0]
    pixels = noise(1, side, side)
    config = own.pretrained_cfg
    images = torch.tensor((pixels / 255 - config["mean"]) / config["std"], dtype=torch.float32).permute(0, 3, 1, 2)
    with torch.inference_mode():
        tokens = own.forward_features(images)[0, own.num_prefix_tokens :].numpy()
    run = start_torch_cpu(lambda: backbone.make(need_weights(backbone.weights)), RunOptions())
    cells = run(pixels)[0][0].reshape(backbone.channels[0], -1).T
    assert own.num_prefix_tokens > 0 and cells == pytest.approx(tokens, abs=2e-3 * float(np.abs(tokens).max()))


@pytest.mark.parametrize("name", ["small-map", "small-cnn"])
def test_the_same_content_everywhere_is_where_the_model_puts_it(hub, name, tmp_path: Path, monkeypatch):
    """The mean of the cells points where the model's own vector does."""
    model = keep_clip(hub, tmp_path / "configs", name, monkeypatch)
    backbone = find_backbone(f"open_clip:{name}/{TAG}")
    run = start_torch_cpu(lambda: backbone.make(need_weights(backbone.weights)), RunOptions())
    side = model.visual.image_size[0] if isinstance(model.visual.image_size, tuple) else model.visual.image_size
    pixels = np.full((1, side, side, 3), 128, np.uint8)
    images = torch.tensor((pixels / 255 - 0.5) / 0.5, dtype=torch.float32).permute(0, 3, 1, 2)
    with torch.inference_mode():
        own = model.encode_image(images)[0].numpy()
    mean = run(pixels)[0][0].mean(axis=(1, 2))
    assert float(own @ mean) / (np.linalg.norm(own) * np.linalg.norm(mean)) > 0.5


def test_cells_are_those_of_open_clip_if_the_last_block_mixes_nothing(hub, tmp_path: Path, monkeypatch):
    """Then the cells are the tokens of the model itself, in its joint space and at its own size."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    def silence(model: Any) -> None:
        attention = model.visual.transformer.resblocks[-1].attn.out_proj
        torch.nn.init.zeros_(attention.weight)
        torch.nn.init.zeros_(attention.bias)

    visual = keep_clip(tmp_path, tmp_path / "configs", "small-vit", monkeypatch, silence).visual
    pixels = noise(1, 64, 64)
    images = torch.tensor((pixels / 255 - 0.5) / 0.5, dtype=torch.float32).permute(0, 3, 1, 2)
    with torch.inference_mode():
        tokens = visual.ln_post(visual.transformer(visual._embeds(images)))[0, 1:] @ visual.proj  # (16, 24)
    backbone = find_backbone(f"open_clip:small-vit/{TAG}")
    run = start_torch_cpu(lambda: backbone.make(need_weights(backbone.weights)), RunOptions())
    assert pytest.approx(tokens.numpy(), abs=1e-3) == run(pixels)[0][0].reshape(24, 16).T


def test_sentences_are_unit_vectors_of_the_same_space(hub, tmp_path: Path, monkeypatch):
    keep_clip(hub, tmp_path / "configs", "small-vit", monkeypatch)
    backbone = find_backbone(f"open_clip:small-vit/{TAG}")
    assert backbone.text is not None
    describe = backbone.text(need_weights(backbone.weights))
    panda, car = describe("a panda"), describe("a red car")
    assert panda.shape == car.shape == backbone.channels[:1] and np.linalg.norm(panda) == pytest.approx(1, abs=1e-5)
    assert float(panda @ car) < 0.9999


def test_a_tokenizer_of_the_hub_is_used_offline(tmp_path: Path, monkeypatch):
    """As that of SigLIP, which open_clip does not contain."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    text = {**SMALL_TEXT, "hf_tokenizer_name": "tests/words", "vocab_size": 8}
    monkeypatch.setitem(CLIPS, "small-words", {**CLIPS["small-vit"], "text_cfg": text})
    keep_clip(tmp_path, tmp_path / "configs", "small-words", monkeypatch)
    with pytest.raises(WeightsMissing, match=r"tokenizer\.json of tests/words on the Hugging Face hub"):
        choose_backbone(f"open_clip:small-words/{TAG}", offline=True)
    words = Tokenizer(models.WordLevel({"<pad>": 0, "<unk>": 1, "a": 2, "panda": 3, "car": 4}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>")
    fast.save_pretrained(tmp_path / "made")
    for file in TOKENIZER_FILES:
        keep(tmp_path, "tests/words", file, (tmp_path / "made" / file).read_bytes())
    backbone, _ = choose_backbone(f"open_clip:small-words/{TAG}", offline=True)
    assert backbone.text is not None
    describe = backbone.text(need_weights(backbone.weights))
    assert float(describe("a panda") @ describe("a car")) < 0.9999
    assert float(describe("a panda") @ describe("a  panda")) == pytest.approx(1, abs=1e-5)


def test_weights_of_another_network_are_refused(hub, monkeypatch, tmp_path: Path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    other = (hub / "models--timm--test_resnet.r160_in1k" / "snapshots" / COMMIT / "model.safetensors").read_bytes()
    keep(tmp_path, "timm/test_vit.r160_in1k", "model.safetensors", other)
    backbone, _ = choose_backbone("timm:test_vit.r160_in1k", offline=True)
    with pytest.raises(WeightsMissing, match=r"does not hold the weights of timm:test_vit.r160_in1k"):
        backbone.make(need_weights(backbone.weights))


@pytest.mark.parametrize(
    ("name", "part"),
    {
        "test_vit.r160_in1k": "blocks.1.attn",
        "dla46x_c.in1k": "level3",  # timm itself loads a DLA without it
    }.items(),
)
def test_a_checkpoint_without_a_tensor_is_refused(hub, monkeypatch, tmp_path: Path, name, part):
    import safetensors.torch

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    state = random_timm(name).state_dict()
    del state[next(tensor for tensor in state if part in tensor and tensor.endswith("weight"))]
    keep(tmp_path, f"timm/{name}", "model.safetensors", safetensors.torch.save(state))
    backbone = find_backbone(f"timm:{name}")
    with pytest.raises(WeightsMissing, match=r"does not hold the weights"):
        backbone.make(need_weights(backbone.weights))


@pytest.mark.parametrize(
    ("name", "words"),
    {
        "timm:resnet50.other": r"did you mean resnet50\.a1_in1k",
        "timm:nothing_like_it": "timm has no pretrained network",
        "timm:mixer_b16_224": "gives no feature map for pictures of any size",
        "open_clip:ViT-B-32/other": "choose from: openai, laion400m_e31",
        "open_clip:ViT-B-32": "MODEL/PRETRAINED",
        "open_clip:xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k": "text encoder xlm-roberta-base, which Boxfind",
    }.items(),
)
def test_a_network_that_cannot_be_used_says_why(name, words):
    with pytest.raises(UnknownName, match=words):
        find_backbone(name)


def test_a_name_without_weights_stands_for_the_default_ones():
    assert find_backbone("timm:resnet50").name == find_backbone("timm:resnet50.a1_in1k").name == "timm:resnet50.a1_in1k"


def test_recommended_networks_have_the_stated_numbers_of_parameters():
    for network in RECOMMENDED:
        library, _, model = network.name.partition(":")
        with torch.device("meta"):
            if library == "timm":
                structure = timm_library().create_model(model)
            elif library == "open_clip":
                model = model.rpartition("/")[0]
                structure = open_clip_library().create_model(model, load_weights=False, device="meta")
            else:
                continue
        assert round(sum(one.numel() for one in structure.parameters()) / 10**6) == network.parameters, network.name
        assert find_backbone(network.name).weights.hub
