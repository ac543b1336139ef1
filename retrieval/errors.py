"""The error tree, except for errors of one package. Every message is a sentence for the user."""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


class BoxfindError(Exception):
    """An error whose message is for the user: what happened, to which file, what to do now."""


class UnreadableImage(BoxfindError):
    """A file is not a usable image; `reason` is a short code."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(reason, sentence)  # both, so that it can be unpickled in another process
        self.reason = reason
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


class BadBox(BoxfindError):
    """The box does not enclose anything searchable."""


class UnknownName(BoxfindError):
    """A name that is not in a table of choices."""


class RuntimeMissing(BoxfindError):
    """A package or runtime is not available on this machine."""


class WeightsMissing(BoxfindError):
    """The weights of a network are missing or wrong.

    `what` names the file for visitors; `remedy` tells the administrator what to do and may name folders.
    """

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what}; {remedy}." if remedy else f"{what}.")
        self.what = what


class GalleryProblem(BoxfindError):
    """The gallery folder is missing or has no usable picture."""


class UnknownFolder(GalleryProblem):
    """The index has no pictures below that folder."""


class PictureGone(GalleryProblem):
    """A picture was removed or changed since it was indexed."""


class GalleryAway(PictureGone):
    """The folder of the gallery is not there at the moment."""


class IndexProblem(BoxfindError):
    """The index is missing, damaged or made with another recipe."""


class UnknownPicture(IndexProblem):
    """The index has no picture with that id."""


class StoreUnavailable(IndexProblem):
    """The vector engine is currently unavailable."""


class BuildRunning(BoxfindError):
    """Another build of the same index is running."""


class BuildCancelled(BoxfindError):
    """The build was cancelled."""


class ClusterProblem(BoxfindError):
    """The build cluster is unreachable, or a node is not set up."""


class Busy(BoxfindError):
    """Too many others want the same now; trying again helps."""


class DiskFull(BoxfindError):
    """The index does not fit on its disk."""


class BadTable(BoxfindError):
    """A CSV table cannot be read or written, or is malformed."""


class BadDataset(BoxfindError):
    """A labelled data set or a folder of queries is missing, malformed or of no use with this index."""


class BadHead(BoxfindError):
    """A fine-tuned head is damaged or made for another network."""


def in_short(problem: WeightsMissing | RuntimeMissing) -> str:
    """The message for visitors, who cannot install anything: no folders and no commands."""
    return f"{problem.what} (docs/models.md)." if isinstance(problem, WeightsMissing) else str(problem)


def first_line(error: Exception) -> str:
    """What an error of a library says first, without a full stop."""
    return str(error).strip().partition("\n")[0].rstrip(".:") or type(error).__name__


def pick(table: Mapping[str, T], what: str, name: str) -> T:
    """Look up a name in a table of choices. Raises UnknownName, which lists the choices."""
    if name not in table:
        raise UnknownName(f"There is no {what} called {name!r}; choose from: {', '.join(sorted(table))}.")
    return table[name]
