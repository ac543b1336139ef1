"""Search results with hostile names: a real gallery with unusual file names, and a stub with impossible ids."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image as Pillow

from boxfind.export.search_result import SearchResult
from index.building.build import build
from index.building.decoder_pool import DecoderPool
from index.building.thread_executor import ThreadExecutor
from index.gallery import Gallery, open_gallery
from retrieval.images.decode import LoadedImage
from retrieval.images.resize import thumbnail
from retrieval.search import search
from retrieval.types import Box, Hit, Region
from tests.tiny import TINY_EMBEDDER, draw_picture

NAMES = (
    "plain.jpg",
    "=cmd|'x'!A0.jpg",
    "<script>alert(1)</script>.jpg",
    'a "b" & c.jpg',
    "below/😀 שלום.png",
    "CON.jpg",
)
MADE = datetime(2025, 3, 9, 14, 5, 7, tzinfo=UTC)
SIZE = 800, 600
FOLDER = "private pictures"


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory, pool: DecoderPool) -> Path:
    """A generation folder whose gallery JPEGs have GPS metadata; read-only."""
    root = tmp_path_factory.mktemp("secret-place")
    for number, name in enumerate(NAMES):
        path = root / FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Pillow.fromarray(draw_picture(number, *SIZE))
        exif = picture.getexif()
        exif[0x010F] = "Camera of a witness"
        exif.get_ifd(0x8825)[1] = "N"
        picture.save(path, **({"exif": exif, "quality": 95} if path.suffix == ".jpg" else {}))
    return build(root / FOLDER, root / "index", ThreadExecutor(TINY_EMBEDDER, pool), lambda *_: None)


@pytest.fixture(scope="session")
def answer(indexed: Path) -> SearchResult:
    """All six pictures as hits for a box on the first; one hit has two further regions."""
    gallery = open_gallery(indexed)
    image, box = draw_picture(0, *SIZE), Box(100, 80, 400, 420)
    hits = search(TINY_EMBEDDER.query(image, box, gallery.whitening), gallery, "best", 0)
    others = tuple(gallery.regions(hits[1].image)[:2])
    hits[1] = replace(hits[1], others=others)
    query = LoadedImage.of(image)
    return SearchResult("Red mug", tuple(hits), gallery, query, box, "http://localhost:8501/?box=1&x=2", MADE)


@pytest.fixture(scope="session")
def odd_answer(answer: SearchResult) -> Callable[[str, str], SearchResult]:
    """Make a result with one hit from a title and an id, on a stub gallery."""
    picture = LoadedImage.of(draw_picture(3, 64, 48))
    region = Region(Box(3, 4, 50, 40), "grid")

    def made(title: str, image: str) -> SearchResult:
        stand_in: Any = SimpleNamespace(
            folder=Path("gen-000001-abcd"),
            manifest=answer.gallery.manifest,
            entry=lambda name: SimpleNamespace(
                image=name,
                path=b"x.jpg",
                width=64,
                height=48,
                sha256="0" * 64,
                place="",
                bytes=0,
                file_sha256="",
            ),
            file=lambda name: Path("/nowhere") / name,
            thumbnail=lambda _: thumbnail(picture.image),
        )
        gallery: Gallery = stand_in
        hit = Hit(image, region, 0.5, 0.4, "possible", {"similarity": 0.5}, (region,))
        return SearchResult(title, (hit,), gallery, picture, region.box, f"https://example.org/?q={title}", MADE)

    return made
