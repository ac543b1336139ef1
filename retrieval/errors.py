"""What can go wrong, in sentences for the person in front of the screen.

BoxfindError
├── UnreadableImage    a file is not a picture this program can use; `reason` is a short code
├── BadBox             the box does not enclose anything that can be searched for
├── UnknownName        a name that is in none of our tables
├── WeightsMissing     the weights of a backbone are not here, or are not the right ones
├── RuntimeMissing     nothing on this machine can run the network as asked
├── GalleryProblem     the folder of pictures is missing or has no usable picture
│   ├── UnknownFolder  the index has no pictures below that folder
│   └── PictureGone    a picture is not in the folder any more, or not as it was indexed
├── IndexProblem       there is no index, it is damaged, or it was made with another recipe
│   ├── UnknownPicture the index has no picture of that id
│   └── StoreAway      the vector engine that holds the vectors cannot be asked at present
├── AlreadyThere       the gallery has a picture with exactly these bytes (index/operations/add_images.py)
├── BuildRunning       another build is at work on the same index
├── BuildCancelled     somebody asked the build to stop
├── ClusterProblem     the cluster a build should use cannot be reached, or one of its machines is not set up
├── DiskFull           the index does not fit on its disk
├── BadTable           a table or a labelled data set is not what it must be
├── BadHead            a fine-tuned head is damaged, or for another network
├── BadLink            an address does not lead to a search (boxfind/searches/errors.py)
└── NotebookProblem    saved searches cannot be read or written (boxfind/searches/errors.py)
"""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


class BoxfindError(Exception):
    """Any error whose text is written for the user: what happened, to what, what to do now."""


class UnreadableImage(BoxfindError):
    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(reason, sentence)  # both, so that it comes back whole from another process
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
    """`what` is missing, in a few words for visitors; `remedy` is for whoever installs, and names folders."""

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
    """What is missing, without folders and commands: for visitors, who cannot install anything."""
    return f"{problem.what} (docs/models.md)." if isinstance(problem, WeightsMissing) else str(problem)


def pick(table: Mapping[str, T], what: str, name: str) -> T:
    """The entry of a table of variations, or an error that quotes the table."""
    if name not in table:
        raise UnknownName(f"There is no {what} called {name!r}; there are: {', '.join(sorted(table))}.")
    return table[name]
