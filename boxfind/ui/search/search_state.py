"""Search state of a session: the current request, its pictures and boxes, and the search history."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import streamlit as st

from boxfind.ui.session import Picture, decoded, saved_search_store, stored_picture
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
    previous: int | None


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
    current: int | None = None
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
        self.draw(boxes)
        needed = {example.picture for example in self.request.examples} | {self.shown}
        unused = [key for key in self.pictures if key not in needed]
        for key in unused[:-KEPT]:
            del self.pictures[key]

    def draw(self, boxes: Sequence[Box]) -> None:
        """Set the boxes on the shown picture and redraw the canvas."""
        self.take_drawn(boxes)
        self._redraw()

    def take_drawn(self, boxes: Sequence[Box]) -> None:
        """Set the boxes on the shown picture to those on the canvas. Existing boxes keep their roles."""
        if list(boxes) == self.boxes:
            return
        here = [example for example in self.request.examples if example.picture == self.shown]
        elsewhere = [example for example in self.request.examples if example.picture != self.shown]
        known = {example.box: example.role for example in here}
        roles: list[Role] = [known.get(box, "view" if elsewhere else "also") for box in boxes]
        if len(boxes) == len(here):  # one was moved
            roles = [example.role for example in here]
        drawn = [Example(self.shown, box, role) for box, role in zip(boxes, roles, strict=True)]
        self.ask(replace(self.request, examples=arranged([*elsewhere, *drawn]), positives=(), negatives=()))

    def set_several(self, several: bool) -> None:
        """Allow several boxes, or keep only the last one on the shown picture."""
        self.several = several
        if not several:
            self.ask(replace(self.request, examples=tuple(Example(self.shown, box) for box in self.boxes[-1:])))
        self._redraw()

    def change(self, number: int, role: Role | None) -> None:
        """Change the role of an example; None removes the example."""
        examples = list(self.request.examples)
        examples[number : number + 1] = [replace(example, role=role) for example in examples[number:][:1] if role]
        self.ask(replace(self.request, examples=arranged(examples)))
        self._redraw()

    def ask(self, request: Request) -> None:
        """Make this the current search. Adds a history step if the request is searchable."""
        if request.asks and request != self.request:
            self.steps.append(Step(request, self.current))
            self.current = len(self.steps) - 1
        self.request = request

    def set_options(self, request: Request) -> None:
        """Change options of the current search in place, without a new history step."""
        if request != self.request and self.current is not None and request.asks:
            self.steps[self.current] = replace(self.steps[self.current], request=request)
        self.request = request

    @property
    def previous(self) -> int | None:
        """The step that Back opens; None at the start."""
        if self.current is None or self.request != self.steps[self.current].request:
            return self.current
        return self.steps[self.current].previous

    def go_back(self) -> None:
        if self.previous is not None:
            self.go_to(self.previous)

    def go_to(self, step: int) -> None:
        """Reopen a search of the history."""
        self.current, self.request = step, self.steps[step].request
        self.show_query()

    def show_query(self) -> None:
        """Show a picture of the current search if another one is on the canvas."""
        pictures = [example.picture for example in self.request.examples]
        if pictures and self.shown not in pictures:
            self.shown = pictures[0]
        self.several, self.joining = len(pictures) > 1, False
        self._redraw()

    def mark(self, image: str, positive: bool) -> None:
        """Mark a gallery image as right or wrong; marking it twice removes the mark."""
        positives, negatives = list(self.request.positives), list(self.request.negatives)
        marked = image in (positives if positive else negatives)
        for images in (positives, negatives):
            if image in images:
                images.remove(image)
        if not marked:
            (positives if positive else negatives).append(image)
        self.ask(replace(self.request, positives=tuple(positives), negatives=tuple(negatives)))

    def remove_marks(self) -> None:
        self.ask(replace(self.request, positives=(), negatives=()))

    def _redraw(self) -> None:
        self.preset = tuple(self.boxes)
        self.canvas += 1


def search_state() -> SearchState:
    """The search state of the session; initially empty."""
    found: SearchState = st.session_state.setdefault("search", SearchState())
    return found


def name_of(key: str, gallery: Gallery) -> str:
    """The display name of a picture; "Picture" if unknown."""
    picture = search_state().pictures.get(key)
    return picture.name if picture else gallery.tables.with_contents(key) or "Picture"


def image_of(key: str, gallery: Gallery) -> Image:
    """The pixels of a picture from the session, the saved searches or the gallery. Raises UnreadableImage."""
    pictures = search_state().pictures
    if key not in pictures:
        pictures[key] = stored_picture(key, gallery, saved_search_store())
    return decoded(key, pictures[key])


def is_stored(key: str, gallery: Gallery) -> bool:
    """Whether other sessions can open a picture: it is in the gallery or in the saved searches."""
    return gallery.tables.with_contents(key) is not None or saved_search_store().picture(key) is not None


def open_search(request: Request, gallery: Gallery) -> None:
    """Make a stored request the current search. Raises UnreadableImage if one of its pictures cannot be opened."""
    for example in request.examples:
        image_of(example.picture, gallery)
    search_state().ask(request)
    search_state().show_query()


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
    search_state().show(picture, [box] if box else [])
    return True


def open_search_page(gallery: Gallery, image: str, box: Box | None = None) -> None:
    """Open the Search page with a gallery picture, if it is readable. For callbacks of the other pages."""
    if search_from(gallery, image, box):
        # The Search page would reject the query parameters that are bound to widgets of the other page.
        st.switch_page("pages/search.py", query_params={})
