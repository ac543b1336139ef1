"""Search state of a session: the current request, its pictures and boxes, and the search history."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import streamlit as st

from boxfind.ui.session import Picture, decoded, saved_search_store
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from retrieval.descriptors.embedder import SMALLEST_BOX
from retrieval.errors import UnreadableImage
from retrieval.images.decode import read_file
from retrieval.printable_names import shown
from retrieval.request import Example, Request, Role, arranged
from retrieval.types import Box, Image

KEPT = 12
"""Pictures kept in memory in addition to those of the current search, at most."""


@dataclass(frozen=True, slots=True)
class Step:
    """A search in the history, and the index of the search it was derived from."""

    request: Request
    before: int | None


@dataclass(slots=True)
class SearchState:
    """The current search. `shown` is the key of the picture on the canvas; empty if there is none."""

    request: Request = field(default_factory=Request)
    shown: str = ""
    several: bool = False
    """Whether a new box is added to the others instead of replacing them."""
    joining: bool = False
    """Whether the next picture is added to the search instead of starting a new one."""
    canvas: int = 0
    """Version of the canvas; a new version starts with the boxes in `preset`."""
    preset: tuple[Box, ...] = ()
    pictures: dict[str, Picture] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    at: int | None = None
    """The step of the current search, or the one it was derived from."""

    @property
    def boxes(self) -> list[Box]:
        """The boxes on the shown picture."""
        return [example.box for example in self.request.examples if example.picture == self.shown]

    def show(self, picture: Picture, boxes: Sequence[Box] = ()) -> None:
        """Put a picture on the canvas. Starts a new search unless `joining` is set."""
        self.pictures[picture.key] = picture
        others = self.request.examples if self.joining else ()
        self.joining, self.several, self.shown = False, bool(others), picture.key
        words = self.request.words if others else ""
        self.request = replace(self.request, examples=others, words=words, positives=(), negatives=())
        self.put(boxes)
        self._forget_pictures()

    def put(self, boxes: Sequence[Box]) -> None:
        """Set the boxes on the shown picture and redraw the canvas."""
        self.drawn(boxes)
        self._redraw()

    def keep_one(self) -> None:
        """Keep only the last box on the shown picture."""
        self.several = False
        last = Example(self.shown, self.boxes[-1]) if self.boxes else None
        self.ask(replace(self.request, examples=(last,) if last else ()))
        self._redraw()

    def change(self, number: int, role: Role | None) -> None:
        """Change the role of an example; None removes the example."""
        examples = list(self.request.examples)
        examples[number : number + 1] = [replace(examples[number], role=role)] if role else []
        self.ask(replace(self.request, examples=arranged(examples)))
        self._redraw()

    def drawn(self, boxes: Sequence[Box]) -> None:
        """Take over the boxes drawn on the canvas. Existing boxes keep their roles."""
        if list(boxes) == self.boxes:
            return
        here = [example for example in self.request.examples if example.picture == self.shown]
        elsewhere = [example for example in self.request.examples if example.picture != self.shown]
        new: Role = "view" if elsewhere else "also"
        roles = _roles_kept(here, boxes, new)
        examples = [Example(self.shown, box, role) for box, role in zip(boxes, roles, strict=True)]
        self.ask(replace(self.request, examples=arranged([*elsewhere, *examples]), positives=(), negatives=()))

    def ask(self, request: Request) -> None:
        """Make this the current search. Adds a history step if the request is searchable."""
        if request.asks and request != self.request:
            self.steps.append(Step(request, self.at))
            self.at = len(self.steps) - 1
        self.request = request

    def settle(self, request: Request) -> None:
        """Change options of the current search in place, without a new history step."""
        if request != self.request and self.at is not None and request.asks:
            self.steps[self.at] = replace(self.steps[self.at], request=request)
        self.request = request

    @property
    def before(self) -> int | None:
        """The step that Back opens; None at the start."""
        if self.at is None:
            return None
        return self.steps[self.at].before if self.request == self.steps[self.at].request else self.at

    def go_to(self, step: int) -> None:
        """Reopen a search of the history."""
        self.at, self.request = step, self.steps[step].request
        self.reopen()

    def reopen(self) -> None:
        """Show a picture of the current search if another one is on the canvas."""
        pictures = [example.picture for example in self.request.examples]
        self.shown = self.shown if self.shown in pictures or not pictures else pictures[0]
        self.several, self.joining = len(pictures) > 1, False
        self._redraw()

    def mark(self, image: str, positive: bool) -> None:
        """Mark a gallery image as right or wrong; marking it twice removes the mark."""
        request = self.request
        rights = _toggled(request.positives, image) if positive else _without(request.positives, image)
        wrongs = _without(request.negatives, image) if positive else _toggled(request.negatives, image)
        self.ask(replace(request, positives=rights, negatives=wrongs))

    def unmark(self) -> None:
        """Remove all marks."""
        self.ask(replace(self.request, positives=(), negatives=()))

    def _redraw(self) -> None:
        self.preset = tuple(self.boxes)
        self.canvas += 1

    def _forget_pictures(self) -> None:
        needed = {example.picture for example in self.request.examples} | {self.shown}
        spare = [key for key in self.pictures if key not in needed]
        for key in spare[: max(len(spare) - KEPT, 0)]:
            del self.pictures[key]


def search_state() -> SearchState:
    """The search state of the session; initially empty."""
    found: SearchState = st.session_state.setdefault("asking", SearchState())
    return found


def name_of(key: str, gallery: Gallery) -> str:
    """The display name of a picture; "a picture" if unknown."""
    picture = search_state().pictures.get(key)
    return picture.name if picture else gallery.tables.with_contents(key) or "a picture"


def image_of(key: str, gallery: Gallery) -> Image:
    """The pixels of a picture from the session, the saved searches or the gallery. Raises UnreadableImage."""
    here = search_state().pictures
    if key not in here:
        here[key] = _fetched(key, gallery)
    return decoded(key, here[key])


def search_from(gallery: Gallery, image: str, box: Box | None = None) -> bool:
    """Search with a gallery picture. If the file is unreadable, show a toast, keep the search and return False."""
    if box is not None and min(box.width, box.height) < SMALLEST_BOX:
        entry = gallery.entry(image)
        box = box.grown(2 * SMALLEST_BOX / min(box.width, box.height)).clipped(entry.width, entry.height)
    try:
        picture = Picture(image, read_file(gallery.file(image)))
    except UnreadableImage:  # its message names the folder
        st.toast(
            plain(f"{shown(image)} cannot be opened. It was readable when the gallery was indexed."),
            icon=":material/warning:",
        )
        return False
    search_state().show(picture, [] if box is None else [box])
    return True


def _fetched(key: str, gallery: Gallery) -> Picture:
    kept = saved_search_store().picture(key)
    if kept is not None:
        return Picture("a saved picture", kept)
    image = gallery.tables.with_contents(key)
    if image is not None:
        picture = Picture(image, read_file(gallery.file(image)))
        if picture.key == key:
            return picture
    raise UnreadableImage(
        "gone", "The picture of this search is no longer available. Choose the file again and redraw the box."
    )


def _roles_kept(before: Sequence[Example], boxes: Sequence[Box], new: Role) -> list[Role]:
    """Roles by position if the number of boxes is unchanged (one was moved), else by equal box."""
    if len(before) == len(boxes):
        return [example.role for example in before]
    known = {example.box: example.role for example in before}
    return [known.get(box, new) for box in boxes]


def _toggled(images: tuple[str, ...], image: str) -> tuple[str, ...]:
    return _without(images, image) if image in images else (*images, image)


def _without(images: tuple[str, ...], image: str) -> tuple[str, ...]:
    return tuple(other for other in images if other != image)
