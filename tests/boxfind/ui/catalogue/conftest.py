"""An index of five pictures of one object, three of another and eight others, and the Catalogue page that shows it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from index.building.build import build
from index.building.decoder_pool import DecoderPool
from index.building.thread_executor import ThreadExecutor
from retrieval.descriptors.embedder import Embedder
from tests.boxfind.ui.catalogue.acting import CUPS, HATS
from tests.boxfind.ui.reading import calm


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, draw: Any) -> Path:
    """Five pictures of one object, three of another and eight others."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(8):
        Pillow.fromarray(draw(100 + number, 320, 240)).save(folder / f"other-{number}.png")
    for seed, names in ((1, CUPS), (2, HATS)):
        for number, name in enumerate(sorted(names)):
            picture = draw(seed, 320, 240)
            noise = np.random.default_rng(number).integers(-6, 7, picture.shape)
            Pillow.fromarray(np.clip(picture.astype(int) + noise, 0, 255).astype(np.uint8)).save(folder / name)
    return folder


@pytest.fixture(scope="module")
def index(folder: Path, tmp_path_factory: pytest.TempPathFactory, tiny_embedder: Embedder, pool: DecoderPool) -> Path:
    index = tmp_path_factory.mktemp("index")
    build(folder, index, ThreadExecutor(tiny_embedder, pool), lambda *_: None)
    return index


@pytest.fixture
def page(app: AppTest, folder: Path, index: Path, here: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The catalogue page for an administrator."""
    monkeypatch.setenv("BOXFIND_GALLERY", str(folder))
    monkeypatch.setenv("BOXFIND_INDEX", str(index))
    app.run()
    app.switch_page("pages/catalogue.py").run()
    app.selectbox(key="likeness").select("Loose").run()
    assert calm(app)
    yield app
    assert calm(app)
