"""The words of the search: image, box, region, descriptor, query, hit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""(H, W, 3) RGB, upright: EXIF orientation is already applied."""

FeatureMap = NDArray[np.float32]
"""(C, h, w): what one layer of a backbone sees, before pooling."""

Pixels = NDArray[np.uint8]
"""(N, H, W, 3): pictures of one size, as a network takes them."""

Layers = tuple[NDArray[np.float32], ...]
"""What a network makes of them: a feature map (N, C, h, w) a layer, the last layer first."""

Run = Callable[[Pixels], Layers]
"""A network ready to run. May be called from many threads at once."""

Vectors = NDArray[np.float32]
"""(..., D). A descriptor is one vector of unit length; `unit` is the only maker of that."""

Rows = NDArray[np.int64]
"""Numbers of region vectors."""

Numbers = NDArray[np.int64]
"""Numbers of images."""

Scores = NDArray[np.float32]


Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is (0 when unknown)."""


def quiet(stage: str, done: int, total: int) -> None:
    """A Progress that shows nothing."""


Notify = Callable[[str], None]
"""Called with a sentence for whoever follows the work."""

Confidence = Literal["likely", "possible", "unlikely"]
"""Whether a gallery image holds what was asked for, judged by what pictures without it score."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the upright original; x1 and y1 are exclusive."""

    x0: int
    y0: int
    x1: int
    y1: int

    @classmethod
    def from_xywh(cls, x: int, y: int, w: int, h: int) -> "Box":
        return cls(x, y, x + w, y + h)

    @classmethod
    def whole(cls, image: Image) -> "Box":
        return cls(0, 0, image.shape[1], image.shape[0])

    @property
    def width(self) -> int:
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        return self.y1 - self.y0

    @property
    def xywh(self) -> tuple[int, int, int, int]:
        return self.x0, self.y0, self.width, self.height

    def clipped(self, width: int, height: int) -> "Box":
        """The part of the box that lies in a picture of this size; its width or height is 0 or less when none does."""
        return Box(max(self.x0, 0), max(self.y0, 0), min(self.x1, width), min(self.y1, height))

    def grown(self, factor: float) -> "Box":
        """The same centre, each side `factor` times as long, rounded outwards."""
        dx, dy = self.width * (factor - 1) / 2, self.height * (factor - 1) / 2
        return Box(
            int(np.floor(self.x0 - dx)),
            int(np.floor(self.y0 - dy)),
            int(np.ceil(self.x1 + dx)),
            int(np.ceil(self.y1 + dy)),
        )


def iou(one: Box, other: Box) -> float:
    """Intersection over union: 1 for the same box, 0 for boxes that share no pixel."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    common = max(width, 0) * max(height, 0)
    union = one.width * one.height + other.width * other.height - common
    return common / union if common else 0.0


@dataclass(frozen=True, slots=True)
class Region:
    """A box of a gallery image that has a descriptor of its own; `kind` says which way of finding regions made it.

    Where that way is a detector, `score` is how sure it was, 0 to 1, and `label` what it took the thing for.
    """

    box: Box
    kind: str
    score: float = 1.0
    label: str = ""


@dataclass(frozen=True, slots=True)
class ClassScores:
    """What a classifier takes R regions for: their likeliest classes, best first, and the probability of each.

    T is 0 where the network has no classifier.
    """

    classes: NDArray[np.int16]  # (R, T)
    shares: NDArray[np.float16]  # (R, T)

    def __getitem__(self, rows: slice | Sequence[int] | Rows) -> "ClassScores":
        return ClassScores(self.classes[rows], self.shares[rows])

    @classmethod
    def unknown(cls, count: int) -> "ClassScores":
        """Of so many regions that no classifier has looked at."""
        return cls(np.zeros((count, 0), np.int16), np.zeros((count, 0), np.float16))


@dataclass(frozen=True, slots=True)
class Query:
    """One object that is looked for: the pixels of each view of it, and the descriptor (D,) they have together."""

    crops: tuple[Image, ...]
    descriptor: Vectors


@dataclass(frozen=True, slots=True)
class Hit:
    """A gallery image and the region of it that answers the query; a bigger score is better.

    `similarity` is the cosine with the image's best region, whatever the ranking; `parts` is what the score was added
    up from; `confidence` says in a word how far a picture without the object would get. When several objects are asked
    for, `others` is where the second and later ones lie, and `parts` has a share for each, of which the score is the
    smallest.
    """

    image: str
    region: Region
    score: float
    similarity: float
    confidence: Confidence
    parts: Mapping[str, float] = field(default_factory=dict)
    others: tuple[Region, ...] = ()

    @property
    def verified(self) -> bool:
        """Whether small details agree, so that every region is where the object itself lies."""
        return all(region.kind == "verified" for region in (self.region, *self.others))


def unit(vectors: Vectors) -> Vectors:
    """The same directions with length 1, float32. (..., D) -> (..., D); a zero vector stays zero."""
    vectors = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)
