"""The API over twelve pictures indexed with the tiny network, with in-process clients."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from boxfind.engines import Engines
from boxfind.settings import Settings
from boxfind.visitor_pictures import VisitorPictures
from index.building.build import build
from index.building.decoder_pool import DecoderPool
from index.building.thread_executor import ThreadExecutor
from retrieval.images.decode import LoadedImage
from retrieval.types import Image
from tests.tiny import TINY_EMBEDDER, draw_picture, use_tiny_network

HEIGHT, WIDTH = 240, 320
TOKEN = "a token that only tests know"
SERVER = "http://127.0.0.1"


def jpeg(image: Image) -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(image).save(file, "JPEG")
    return file.getvalue()


def pixels(data: bytes) -> Image:
    with Pillow.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lossless pictures, two of them in a subfolder; read-only."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "below").mkdir()
    for number in range(12):
        name = f"below/{number:02d}.png" if number > 9 else f"{number:02d}.png"
        Pillow.fromarray(draw_picture(number, WIDTH, HEIGHT)).save(folder / name)
    return folder


@pytest.fixture(scope="session")
def index(pictures: Path, tmp_path_factory: pytest.TempPathFactory, pool: DecoderPool) -> Path:
    folder = tmp_path_factory.mktemp("index")
    build(pictures, folder, ThreadExecutor(TINY_EMBEDDER, pool, 1), lambda *_: None)
    return folder


def decode_with(pool: DecoderPool) -> Callable[..., LoadedImage]:
    """`VisitorPictures.read` with another pool."""

    def read_picture(
        _: VisitorPictures, data: bytes | Callable[[], bytes], name: str, client: str = "", **options: Any
    ) -> LoadedImage:
        return pool.decode(data if isinstance(data, bytes) else data(), name, **options)

    return read_picture


@pytest.fixture(autouse=True)
def light(monkeypatch: pytest.MonkeyPatch, pool: DecoderPool) -> None:
    """Use the tiny network and the shared decoder pool."""
    use_tiny_network(monkeypatch)
    monkeypatch.setattr(VisitorPictures, "read", decode_with(pool))


@pytest.fixture
def settings(pictures: Path, index: Path, tmp_path: Path) -> Settings:
    return Settings.load(gallery=pictures, index=index, data=tmp_path, api_token=TOKEN)


@pytest.fixture
def start(settings: Settings) -> Iterator[Callable[..., Any]]:
    """Start a ready API; keyword arguments override its settings."""
    from fastapi.testclient import TestClient

    from boxfind.api.app import make_api

    begun = []

    def started(**changes: Any) -> TestClient:
        api = make_api(Engines(settings.changed(**changes)))
        client = TestClient(api, base_url=SERVER)
        client.__enter__()
        begun.append(client)
        api.state.dependencies.load_finished.wait()
        return client

    yield started
    for client in begun:
        client.__exit__()


@pytest.fixture
def client(start: Callable[..., Any]) -> Any:
    """A client without the token."""
    return start()


@pytest.fixture
def admin(client: Any) -> Any:
    """A client with the token."""
    client.headers["Authorization"] = f"Bearer {TOKEN}"
    return client
