"""How other programs describe and search a folder: img2vec_pytorch, timm with FAISS, and clip-retrieval.

All of them get the bundled network, EfficientNet-Lite0, with its own normalisation. Pictures are squares of 224 pixels,
and each has one vector. None of the packages is a dependency of this project: a function raises ModuleNotFoundError
without them. RESULTS.md says how to install them.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import set_start_method
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from PIL import Image as Pillow

from retrieval.networks.architectures import load_state
from retrieval.networks.backbones import BACKBONES, BUNDLED
from retrieval.networks.torchvision_compat import import_torchvision
from retrieval.networks.weights import need_weights
from retrieval.types import Image, Vectors, unit

MEAN = STD = (0.5, 0.5, 0.5)
"""Normalisation of the network."""
LITE0, CHANNELS = "tf_efficientnet_lite0", 1280
"""The name of the network in timm, and the length of its vectors."""
BATCH, READERS = 256, 4
"""Defaults of clip-retrieval: pictures of a batch, and processes that read them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The time that a program took to index a gallery and to search it, and its results."""

    seconds: float
    """From the first file to an index that can be searched."""
    vectors: float
    """Vectors of a picture."""
    query_seconds: list[float]
    """Of each query, from decoded pixels to the ten best."""
    ranked: list[list[str]]
    """For each query, the gallery pictures, best first."""


def timm_and_faiss(gallery: Path, crops: Sequence[Image]) -> list[Outcome]:
    """timm's network and its own transform, one picture after the other, and an exact FAISS index of unit vectors."""
    import_torchvision()
    import torch

    network, transform = lite0_of_timm(pooled=True), transform_of_timm()

    def describe(picture: Pillow.Image) -> Vectors:
        with torch.inference_mode():
            return np.asarray(network(transform(picture)[None])[0])

    return [_one_by_one(gallery, crops, describe)]


def img2vec(gallery: Path, crops: Sequence[Image]) -> list[Outcome]:
    """Img2Vec.get_vec, one picture after the other. Only its network and the normalisation are replaced."""
    import_torchvision()
    from img2vec_pytorch import Img2Vec
    from torch import nn
    from torchvision.transforms import v2

    class WithLite0(Img2Vec):  # type: ignore[misc]
        def _get_model_and_layer(self, name: str, layer: str) -> tuple[Any, Any]:
            pooling = nn.AdaptiveAvgPool2d(1)  # as in its default, the pooling of a ResNet
            self.layer_output_size = CHANNELS
            return nn.Sequential(lite0_of_timm(pooled=False), pooling), pooling

    tool = WithLite0(model="lite0")
    tool.transforms.transforms[-1] = v2.Normalize(mean=MEAN, std=STD)
    return [_one_by_one(gallery, crops, tool.get_vec)]


def clip_retrieval(gallery: Path, crops: Sequence[Image]) -> list[Outcome]:
    """clip-retrieval's inference with its defaults, and an exact FAISS index of its vectors, which are in float16.

    Reader, mapper and writer are its own. Its loader of CLIP returns this network and timm's transform. The process
    that logs statistics is left out.
    """
    import_torchvision()
    import pandas as pd

    set_start_method("fork", force=True)  # of its readers, which cannot be sent to a process: its default on Linux
    network, transform = lite0_of_timm(pooled=True), transform_of_timm()
    clip = mock.Mock(encode_image=network)
    sys.modules["all_clip"] = mock.Mock(load_clip=lambda **_: (clip, transform, None))
    from clip_retrieval.clip_inference.mapper import ClipMapper
    from clip_retrieval.clip_inference.reader import FilesReader
    from clip_retrieval.clip_inference.runner import Runner
    from clip_retrieval.clip_inference.writer import NumpyWriter

    image_only = {"enable_image": True, "enable_text": False, "enable_metadata": False}
    describe = ClipMapper(**image_only, use_mclip=False, clip_model="", use_jit=False, mclip_model="")
    with tempfile.TemporaryDirectory() as folder:
        run = Runner(
            lambda sampler: FilesReader(sampler, transform, None, str(gallery), BATCH, READERS, **image_only),
            lambda: describe,
            lambda number: NumpyWriter(number, folder, False, True, False, 1),
            lambda number: mock.Mock(),
            1,
        )
        began = time.perf_counter()
        run(0)
        paths = pd.read_parquet(Path(folder) / "metadata" / "metadata_0.parquet")["image_path"]
        ids = [Path(path).relative_to(gallery).as_posix() for path in paths]
        index = _exact_index(np.load(Path(folder) / "img_emb" / "img_emb_0.npy"))
        seconds = time.perf_counter() - began

    def embed(picture: Pillow.Image) -> Vectors:
        batch = {"image_tensor": transform(picture)[None], "image_filename": [""]}
        return np.asarray(describe(batch)["image_embs"][0], np.float32)

    return [_searched(seconds, index, ids, crops, embed)]


def lite0_of_timm(pooled: bool) -> Any:
    """timm's EfficientNet-Lite0 with the bundled weights, in evaluation mode: (N, 3, H, W) -> (N, C) or (N, C, h, w).

    Both networks list the same layers in the same order, under other names.
    """
    network = _timm().create_model(LITE0, num_classes=0, global_pool="avg" if pooled else "")
    state = load_state(need_weights(BACKBONES[BUNDLED].weights))
    network.load_state_dict(dict(zip(network.state_dict(), state.values(), strict=False)))  # without the classifier
    return network.eval()


def transform_of_timm() -> Callable[[Pillow.Image], Any]:
    """The transform that timm makes for EfficientNet-Lite0: the centre of the picture as (3, 224, 224)."""
    timm = _timm()
    facts = timm.data.resolve_data_config(timm.get_pretrained_cfg(LITE0).to_dict())
    transform: Callable[[Pillow.Image], Any] = timm.data.create_transform(**facts)
    return transform


def _timm() -> Any:
    import_torchvision()
    return import_module("timm")


def _one_by_one(gallery: Path, crops: Sequence[Image], describe: Callable[[Pillow.Image], Vectors]) -> Outcome:
    paths = sorted(path for path in gallery.rglob("*") if path.is_file())
    describe(Pillow.open(paths[0]).convert("RGB"))  # the first call takes longer
    began = time.perf_counter()
    index = _exact_index(np.stack([describe(Pillow.open(path).convert("RGB")) for path in paths]))
    seconds = time.perf_counter() - began
    ids = [path.relative_to(gallery).as_posix() for path in paths]
    return _searched(seconds, index, ids, crops, describe)


def _exact_index(vectors: Vectors) -> Any:
    """A FAISS index of inner products of unit vectors, (N, C)."""
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(unit(vectors.astype(np.float32)))
    return index


def _searched(
    seconds: float, index: Any, ids: list[str], crops: Sequence[Image], describe: Callable[[Pillow.Image], Vectors]
) -> Outcome:
    times, ranked = list[float](), []
    for crop in crops:
        began = time.perf_counter()
        query = unit(describe(Pillow.fromarray(crop)).astype(np.float32))[None]
        _, rows = index.search(query, len(ids))
        times.append(time.perf_counter() - began)
        ranked.append([ids[row] for row in rows[0]])
    return Outcome(seconds, 1.0, times, ranked)


OTHER_TOOLS: dict[str, Callable[[Path, Sequence[Image]], list[Outcome]]] = {
    "img2vec_pytorch": img2vec,
    "timm and FAISS": timm_and_faiss,
    "clip-retrieval": clip_retrieval,
}
