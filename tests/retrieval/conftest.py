"""Fixtures: an in-memory NumPy gallery for rankings, without files or a network."""

import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import pytest

from retrieval.ranking.confidence import BackgroundScores
from retrieval.ranking.diffusion import Graph, find_neighbours, make_graph
from retrieval.ranking.keypoints import Keypoints
from retrieval.types import Box, ClassScores, Region, WrittenLine, WrittenMatch

NO_KEYPOINTS = Keypoints(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8)), (640, 480)


@dataclass
class NumpyGallery:
    """Region vectors (N, D), their image numbers (N,), and keypoints by image number for some images."""

    region_vectors: np.ndarray
    images: np.ndarray
    looks: dict[int, tuple[Keypoints, tuple[int, int]]] = field(default_factory=dict)
    background: BackgroundScores = field(default_factory=lambda: BackgroundScores(0.5, 0.1))
    graph: Graph | None = None
    fetch: int = 0
    fetched: int = 0
    class_scores: ClassScores = field(default_factory=lambda: ClassScores.unknown(0))
    colours: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    read: list[int] = field(default_factory=list)
    lines: dict[int, list[WrittenLine]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.region_vectors.setflags(write=False)
        self.images.setflags(write=False)
        self.graph = self.graph or make_graph(find_neighbours(self.region_vectors, self.images))

    @property
    def region_count(self) -> int:
        return len(self.region_vectors)

    @property
    def rows(self) -> range:
        return range(len(self.region_vectors))

    def are_searched(self, rows):
        return (rows >= self.rows.start) & (rows < self.rows.stop)

    @property
    def image_count(self) -> int:
        return len(np.unique(self.images))

    def nearest(self, descriptor, count):
        scores = self.region_vectors @ descriptor
        upset = np.random.default_rng(len(scores)).permutation(len(scores))  # ties come in arbitrary order
        rows = upset[np.argsort(-scores[upset], kind="stable")][:count]
        rows = rows[np.lexsort((rows, -scores[rows]))]
        self.fetched = max(self.fetched, count)
        return rows, scores[rows]

    def similarities(self, descriptor):
        return self.vectors(slice(self.rows.start, self.rows.stop)) @ descriptor

    def vectors(self, rows):
        return self.region_vectors[rows]

    def images_of(self, rows):
        return self.images[rows]

    def rows_of(self, image):
        return np.flatnonzero(self.images == image)

    def name(self, image):
        return f"{image:05d}"

    def number(self, name):
        return int(name)

    def region(self, row):
        return Region(Box(row, 0, row + 1, 1), "grid")

    def pixels(self, image, box=None, enough=0):
        return np.full((8, 8, 3), self.colours.get(image, (128, 128, 128)), np.uint8)

    def keypoints(self, image):
        self.read.append(image)
        return self.looks.get(image, NO_KEYPOINTS)

    @property
    def has_text(self):
        return bool(self.lines)

    def written(self, image):
        return self.lines.get(image, [])

    def find_named(self, words):
        return np.array([image for image in np.unique(self.images) if all(word in self.name(image) for word in words)])

    def find_written(self, sought, most=1000):
        matches = {
            image: [WrittenMatch(text, line, 1.0, 1.0) for text in sought for line in lines if line.text == text]
            for image, lines in self.lines.items()
        }
        return {image: found for image, found in matches.items() if found}


@pytest.fixture(scope="session")
def numpy_gallery() -> Callable[..., NumpyGallery]:
    return NumpyGallery


@pytest.fixture(scope="session")
def random_gallery() -> Callable[[int, int, int], tuple[NumpyGallery, np.ndarray]]:
    """A gallery and a query with coordinates in eighths, so that products and ties are exact."""

    def drawn(seed: int, images: int, most_regions: int) -> tuple[NumpyGallery, np.ndarray]:
        rng = np.random.default_rng(seed)
        counts = rng.integers(1, most_regions + 1, images)
        vectors = rng.integers(-2, 3, (counts.sum(), 3)).astype(np.float32) / 8
        none = make_graph(find_neighbours(vectors[:0], np.zeros(0, int)))
        gallery = NumpyGallery(vectors, np.repeat(np.arange(images), counts), graph=none)
        return gallery, rng.integers(-2, 3, 3).astype(np.float32) / 8

    return drawn


@pytest.fixture(scope="session")
def png() -> Callable[[int, int, int, int, Iterable[bytes]], bytes]:
    """A PNG of any size and bit depth, written without Pillow. `kind` is the colour type; rows start with a filter."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    def written(width: int, height: int, depth: int, kind: int, rows: Iterable[bytes]) -> bytes:
        packer = zlib.compressobj(9)
        packed = b"".join(packer.compress(row) for row in rows) + packer.flush()
        header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")

    return written
