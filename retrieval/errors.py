"""The error tree. Every message is a sentence for the user.

BoxfindError
├── UnreadableImage    a file is not a usable image; `reason` is a short code
├── BadBox             the box does not enclose anything searchable
├── UnknownName        a name that is not in a table of choices
├── WeightsMissing     the weights of a network are missing or wrong
├── RuntimeMissing     a package or runtime is not available on this machine
├── GalleryProblem     the gallery folder is missing or has no usable picture
│   ├── UnknownFolder  the index has no pictures below that folder
│   └── PictureGone    a picture was removed or changed since it was indexed
├── IndexProblem       the index is missing, damaged or made with another recipe
│   ├── UnknownPicture the index has no picture with that id
│   └── StoreAway      the vector engine is currently unavailable
├── AlreadyThere       the gallery has an identical file (index/operations/add_images.py)
├── BuildRunning       another build of the same index is running
├── BuildCancelled     the build was cancelled
├── ClusterProblem     the build cluster is unreachable, or a node is not set up
├── DiskFull           the index does not fit on its disk
├── BadTable           a table or a labelled data set is malformed
├── BadHead            a fine-tuned head is damaged or made for another network
├── BadLink            a URL does not lead to a search (boxfind/searches/errors.py)
└── SavedSearchesProblem  saved searches cannot be read or written (boxfind/searches/errors.py)
"""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


class BoxfindError(Exception):
    """An error whose message is for the user: what happened, to which file, what to do now."""


class UnreadableImage(BoxfindError):
    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(reason, sentence)  # both, so that it can be unpickled in another process
        self.reason = reason
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


class BadBox(BoxfindError):
    pass


class UnknownName(BoxfindError):
    pass


class RuntimeMissing(BoxfindError):
    pass


class WeightsMissing(BoxfindError):
    """`what` names the missing file for visitors; `remedy` tells the administrator what to do and may name folders."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what}; {remedy}." if remedy else f"{what}.")
        self.what = what


class GalleryProblem(BoxfindError):
    pass


class UnknownFolder(GalleryProblem):
    pass


class PictureGone(GalleryProblem):
    pass


class IndexProblem(BoxfindError):
    pass


class UnknownPicture(IndexProblem):
    pass


class StoreAway(IndexProblem):
    pass


class BuildRunning(BoxfindError):
    pass


class BuildCancelled(BoxfindError):
    pass


class ClusterProblem(BoxfindError):
    pass


class DiskFull(BoxfindError):
    pass


class BadTable(BoxfindError):
    pass


class BadHead(BoxfindError):
    pass


def in_short(problem: WeightsMissing | RuntimeMissing) -> str:
    """The message for visitors, who cannot install anything: no folders and no commands."""
    return f"{problem.what} (docs/models.md)." if isinstance(problem, WeightsMissing) else str(problem)


def pick(table: Mapping[str, T], what: str, name: str) -> T:
    """Look up a name in a table of choices. Raises UnknownName, which lists the choices."""
    if name not in table:
        raise UnknownName(f"There is no {what} called {name!r}; choose from: {', '.join(sorted(table))}.")
    return table[name]
