"""Shared types: image, box, region, descriptor, query, hit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""(H, W, 3) RGB, upright: EXIF orientation is already applied."""

FeatureMap = NDArray[np.float32]
"""(C, h, w): the output of one backbone layer, before pooling."""

Pixels = NDArray[np.uint8]
"""(N, H, W, 3): a batch of images of one size, the input of a network."""

Layers = tuple[NDArray[np.float32], ...]
"""The output of a network: one feature map (N, C, h, w) per layer, last layer first."""

Run = Callable[[Pixels], Layers]
"""A network ready to run. May be called from many threads at once."""

Vectors = NDArray[np.float32]
"""(..., D). A descriptor is one vector of unit length; only `unit` normalises."""

Rows = NDArray[np.int64]
"""Row numbers of region vectors."""

Numbers = NDArray[np.int64]
"""Image numbers."""

Scores = NDArray[np.float32]


Progress = Callable[[str, int, int], None]
"""Called with (activity, amount done, total); a total of 0 means unknown."""


def quiet(stage: str, done: int, total: int) -> None:
    """A Progress that shows nothing."""


Notify = Callable[[str], None]
"""Called with a progress message, one sentence."""

Confidence = Literal["likely", "possible", "uncertain", "unlikely"]
"""Whether a gallery image contains the object: the match figure in words.

`uncertain` instead of `unlikely` when the gallery has too few different images to judge.
"""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the upright original image; x1 and y1 are exclusive."""

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
        """The part of the box inside an image of this size. Width or height is 0 or less when none is."""
        return Box(max(self.x0, 0), max(self.y0, 0), min(self.x1, width), min(self.y1, height))

    def scaled(self, factor: float) -> "Box":
        """The box in an image `factor` times as large, rounded outwards."""
        edges = (self.x0 * factor, self.y0 * factor, self.x1 * factor, self.y1 * factor)
        return Box(int(np.floor(edges[0])), int(np.floor(edges[1])), int(np.ceil(edges[2])), int(np.ceil(edges[3])))

    def shifted(self, x: int, y: int) -> "Box":
        """The box moved by x to the right and y down."""
        return Box(self.x0 + x, self.y0 + y, self.x1 + x, self.y1 + y)

    def grown(self, factor: float) -> "Box":
        """A box with the same centre and each side `factor` times as long, rounded outwards."""
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
    """A box of a gallery image with its own descriptor. `kind` names the region source.

    For a detector, `score` is its confidence, 0 to 1, and `label` the predicted class.
    """

    box: Box
    kind: str
    score: float = 1.0
    label: str = ""


@dataclass(frozen=True, slots=True)
class WrittenLine:
    """A line of text that is written in an image. `confidence` is the reader's own, 0 to 1."""

    text: str
    box: Box
    confidence: float


@dataclass(frozen=True, slots=True)
class WrittenMatch:
    """A line of an image in which a sought text was found."""

    sought: str
    line: WrittenLine
    score: float
    """1 if it is there word for word; less within longer words, with a wrong letter, or if a short word is missing."""
    rarity: float
    """Of the sought text in the gallery: 0.7 if it is in every image, and more the fewer images it is in."""


@dataclass(frozen=True, slots=True)
class ClassScores:
    """The T most likely classes of R regions, best first, and their probabilities. T is 0 without a classifier."""

    classes: NDArray[np.int16]  # (R, T)
    shares: NDArray[np.float16]  # (R, T)

    def __getitem__(self, rows: slice | Sequence[int] | Rows) -> "ClassScores":
        return ClassScores(self.classes[rows], self.shares[rows])

    @classmethod
    def unknown(cls, count: int) -> "ClassScores":
        """Scores for `count` regions when there is no classifier: T is 0."""
        return cls(np.zeros((count, 0), np.int16), np.zeros((count, 0), np.float16))


@dataclass(frozen=True, slots=True)
class Query:
    """A query object: the crop of each view and their common descriptor (D,)."""

    crops: tuple[Image, ...]
    descriptor: Vectors
    read: Callable[[], Sequence[WrittenLine]] | None = None
    """Reads what is written in the crops; takes some 0.1 s. None if there is no reader."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A gallery image and its region that matches the query. A higher score is better.

    `similarity` is the cosine of query and best region, in every ranking. `parts` are the summands of the score.
    `match` is the figure of the hit, 0 to 100: of 100 hits with this figure, so many show the object. It never rises
    down a list of hits; None where words decide. `confidence` is the figure in words, `evidence` what it was made of.
    With several query objects, `others` has the regions of the second and later ones, `parts` has one entry per object,
    and score and figure are their minimum.
    `same_text` has the lines of the image with words that are also written in the query crop.
    """

    image: str
    region: Region
    score: float
    similarity: float
    confidence: Confidence
    parts: Mapping[str, float] = field(default_factory=dict)
    others: tuple[Region, ...] = ()
    match: int | None = None
    evidence: Mapping[str, float] = field(default_factory=dict)
    same_text: tuple[WrittenLine, ...] = ()

    @property
    def written(self) -> str:
        """The line of text for which the image was found; empty if it was found otherwise."""
        return self.region.label if self.region.kind == "written" else ""

    @property
    def verified(self) -> bool:
        """Whether geometric verification confirmed every region."""
        return all(region.kind == "verified" for region in (self.region, *self.others))


def unit(vectors: Vectors) -> Vectors:
    """Scale vectors to unit length, float32. (..., D) -> (..., D); a zero vector stays zero."""
    vectors = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)
