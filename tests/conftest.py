"""What tests share: no network, a folder for what is made, small drawn pictures, and a stand-in for the backbone."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image as Pillow

from index.build import build
from retrieval.embed import Embedder
from retrieval.recipe import Recipe
from retrieval.types import Image

settings.register_profile("boxfind", deadline=None, derandomize=True, database=None)
settings.load_profile("boxfind")

CELL = 32
CHANNELS = 16
TINY_RECIPE = Recipe(
    backbone="efficientnet-lite0",
    weights_sha256="0" * 64,
    preprocessing=1,
    side=128,
    query_side=128,
    query_views=(1.0,),
    regions=("whole", "grid"),
    grid_levels=2,
    distinct=1.0,
    pooling="gap",
    fine=0.5,
    dimensions=8,
    precision="float32",
)
Draw = Callable[..., Image]
BuildIndex = Callable[..., Path]


@pytest.fixture(scope="session", autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder for everything the program makes for itself in this session: networks are converted once."""
    data = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("BOXFIND_")]:
            patch.delenv(name)
        patch.setenv("BOXFIND_OFFLINE", "1")
        patch.setenv("BOXFIND_DATA", str(data))
        patch.setenv("TORCH_HOME", str(data / "torch"))
        yield data


def tiny_run(pixels: np.ndarray) -> tuple[np.ndarray]:
    """(N, H, W, 3) -> one layer (N, 16, H/32, W/32): each cell's mean colour and mixtures of its 4 x 4 blocks."""
    count, height, width, _ = pixels.shape
    h, w = height // CELL, width // CELL
    blocks = pixels.reshape(count, h, 4, CELL // 4, w, 4, CELL // 4, 3).mean(axis=(3, 6)) / 255  # (N, h, 4, w, 4, 3)
    colours = blocks.mean(axis=(2, 4))  # (N, h, w, 3)
    flat = blocks.transpose(0, 1, 3, 2, 4, 5).reshape(count, h, w, 48)
    mixtures = np.abs(flat @ np.random.default_rng(5).normal(size=(48, CHANNELS - 3)))
    return (np.concatenate([colours, mixtures], axis=3).transpose(0, 3, 1, 2).astype(np.float32),)


@pytest.fixture(scope="session")
def make_embedder() -> Callable[..., Embedder]:
    """An embedder with that network; keyword arguments change its recipe."""
    return lambda **changes: Embedder(replace(TINY_RECIPE, **changes), tiny_run)


@pytest.fixture(scope="session")
def tiny_embedder(make_embedder: Callable[..., Embedder]) -> Embedder:
    return make_embedder()


@pytest.fixture(scope="session")
def draw() -> Draw:
    """A read-only picture of coloured rectangles, another one for every seed."""

    def drawn(seed: int, width: int = 128, height: int = 96) -> Image:
        rng = np.random.default_rng(seed)
        image = np.full((height, width, 3), rng.integers(0, 256, 3), dtype=np.uint8)
        for _ in range(12):
            x, y = rng.integers(0, width - 4), rng.integers(0, height - 4)
            w, h = rng.integers(4, width // 2), rng.integers(4, height // 2)
            image[y : y + h, x : x + w] = rng.integers(0, 256, 3)
        image.setflags(write=False)
        return image

    return drawn


@pytest.fixture
def gallery(tmp_path: Path, draw: Draw) -> Path:
    """Eight lossless pictures, two of them in a folder below."""
    folder = tmp_path / "gallery"
    (folder / "below").mkdir(parents=True)
    for number in range(8):
        name = f"below/{number}.png" if number > 5 else f"{number}.png"
        Pillow.fromarray(draw(number)).save(folder / name)
    return folder


@pytest.fixture
def build_index(tmp_path: Path, tiny_embedder: Embedder) -> BuildIndex:
    """Indexes a folder into tmp_path/index; the new generation's folder."""

    def built(folder: Path, workers: int = 1, embedder: Embedder = tiny_embedder, into: str = "index") -> Path:
        return build(folder, tmp_path / into, embedder, workers, lambda *_: None)

    return built
