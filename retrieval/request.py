"""What is asked for: boxes on pictures, how they belong together, and how answers are to be ranked."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from retrieval.errors import BadBox
from retrieval.printable_names import shown
from retrieval.types import Box

Role = Literal["object", "view", "also", "not"]
"""What a box shows: the object looked for; the same object again; one more that must be there too; or must not be."""


ROLES: tuple[Role, ...] = ("object", "view", "also", "not")


@dataclass(frozen=True, slots=True)
class Example:
    """A box on a picture, which goes by the SHA-256 of its file."""

    picture: str
    box: Box
    role: Role = "object"


@dataclass(frozen=True, slots=True)
class Request:
    """A search as it can be kept, sent and repeated: the same request on the same index has the same answer."""

    examples: tuple[Example, ...] = ()
    """One of them shows the object; there are none while a box has still to be drawn, or where words are enough."""
    ranking: str = "best"
    context: float = 1.0
    """How many times as wide and high as drawn each box is looked at."""
    folder: str = ""
    """Only pictures below it count; empty for all."""
    positives: tuple[str, ...] = ()
    """Ids of gallery images that were called right; the query moves towards them."""
    negatives: tuple[str, ...] = ()
    """Ids of gallery images that were called wrong; the query moves away from them, and they are left out."""

    words: str = ""
    """A sentence: all that is asked for where no box is, else what chooses among what the boxes find."""

    @property
    def asks(self) -> bool:
        """Whether there is anything to search for yet."""
        return bool(self.words or any(example.role == "object" for example in self.examples))

    @property
    def wanted(self) -> list[Example]:
        """An example of each object that must be there, the object itself first."""
        return sorted(
            (example for example in self.examples if example.role in ("object", "also")),
            key=lambda example: ROLES.index(example.role),
        )


def box_from_text(text: str) -> Box:
    """ "10,20,200,150", which is x, y, width and height in pixels. Raises BadBox."""
    try:
        x, y, w, h = (round(float(part)) for part in text.split(","))
    except (ValueError, OverflowError):
        raise BadBox(f"{shown(text)!r} is not a box; write X,Y,W,H in pixels, as in 10,20,200,150.") from None
    return Box.from_xywh(x, y, w, h)


def arranged(examples: Iterable[Example]) -> tuple[Example, ...]:
    """The same examples in the same order with exactly one object, as long as there is any.

    That is the first that is one already; else another view of it, else one that must be there too, else any.
    """
    given = list(examples)
    object_ = next((e for role in ROLES for e in given if e.role == role), None)
    others = [replace(e, role="also") if e.role == "object" else e for e in given]
    return tuple(replace(e, role="object") if e is object_ else other for e, other in zip(given, others, strict=True))
