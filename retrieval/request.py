"""A search request: query boxes and their roles, text, feedback and ranking."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal, get_args

from retrieval.errors import BadBox
from retrieval.printable_names import shown
from retrieval.types import Box

Role = Literal["object", "view", "also", "not"]
"""What a box shows: the query object, another view of it, a further required object, or an excluded object."""

ROLES: tuple[Role, ...] = ("object", "view", "also", "not")
Shape = Literal["", "landscape", "portrait", "square"]
SHAPES: tuple[Shape, ...] = get_args(Shape)


@dataclass(frozen=True, slots=True)
class Example:
    """A box on a picture, which is identified by the SHA-256 of its file."""

    picture: str
    box: Box
    role: Role = "object"


@dataclass(frozen=True, slots=True)
class PictureFilter:
    """Which pictures of a gallery to look at: those that pass all parts. Every part passes all by default."""

    name: str = ""
    """Words that the path of a picture, its name and folders, must contain."""
    since: date | None = None
    until: date | None = None
    """The first and the last day on which a picture was taken."""
    shape: Shape = ""
    min_pixels: int = 0
    """Minimum width x height."""
    album: str = ""
    """Name of an album."""

    @property
    def parts(self) -> int:
        """Number of parts that are not the default."""
        return sum(map(bool, (self.name, self.since or self.until, self.shape, self.min_pixels, self.album)))


EVERY_PICTURE = PictureFilter()


@dataclass(frozen=True, slots=True)
class Request:
    """A search that can be saved, sent and repeated. The same request on the same index gives the same answer."""

    examples: tuple[Example, ...] = ()
    """Exactly one has the role "object". Empty for a text search or before a box is drawn."""
    ranking: str = "best"
    context: float = 1.0
    """Factor by which the width and height of each box are enlarged."""
    folder: str = ""
    """Search only pictures below this folder; empty for all."""
    positives: tuple[str, ...] = ()
    """Ids of gallery images marked as right; the query moves towards them."""
    negatives: tuple[str, ...] = ()
    """Ids of gallery images marked as wrong; the query moves away from them, and they are dropped."""
    words: str = ""
    """A text query. With boxes, it re-ranks what they find."""
    only: PictureFilter = EVERY_PICTURE
    """Search only pictures that pass this filter, below the folder."""

    @property
    def asks(self) -> bool:
        """Whether there is anything to search for."""
        return bool(self.words or any(example.role == "object" for example in self.examples))

    @property
    def wanted(self) -> list[Example]:
        """One example of each required object, the query object first."""
        return sorted(
            (example for example in self.examples if example.role in ("object", "also")),
            key=lambda example: ROLES.index(example.role),
        )


def box_from_text(text: str) -> Box:
    """Parse "x,y,width,height" in pixels, for example "10,20,200,150". Raises BadBox."""
    try:
        x, y, w, h = (round(float(part)) for part in text.split(","))
    except (ValueError, OverflowError):
        raise BadBox(f"{shown(text)!r} is not a box; write X,Y,W,H in pixels, for example 10,20,200,150.") from None
    return Box.from_xywh(x, y, w, h)


def arranged(examples: Iterable[Example]) -> tuple[Example, ...]:
    """The same examples in the same order, with exactly one "object" unless there are none.

    It is the first "object", else the first "view", else the first "also", else the first "not".
    """
    given = list(examples)
    object_ = next((e for role in ROLES for e in given if e.role == role), None)
    others = [replace(e, role="also") if e.role == "object" else e for e in given]
    return tuple(replace(e, role="object") if e is object_ else other for e, other in zip(given, others, strict=True))
