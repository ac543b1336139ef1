"""Search state of a session: the current request, its pictures and boxes, and the list of searches."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from weakref import WeakSet

import streamlit as st
from cachetools import LRUCache

from boxfind.searches.by_content import NamedContents, named_contents, with_current_names
from boxfind.searches.link import MOST_BOXES
from boxfind.ui.collection_choice import search_collection_name
from boxfind.ui.place_words import entry_in_words, name_in_words
from boxfind.ui.search.kept_pictures import kept_pictures
from boxfind.ui.session import Picture, decoded, picture_of, saved_search_store, stored_picture
from index.gallery import Gallery
from index.storage.tables import Tables
from retrieval.descriptors.embedder import SMALLEST_BOX
from retrieval.errors import UnreadableImage
from retrieval.images.decode import LoadedImage
from retrieval.request import Example, Request, Role, arranged
from retrieval.types import Box

KEPT = 12
"""Pictures kept in memory in addition to those of the current search, at most."""
LISTED = 30
"""Searches in the list of searches, at most."""
MOST_BYTES = 100_000_000
"""Bytes of the picture files that a session keeps in memory, at most."""
SEARCH_COLLECTION = "collection of the search"
"""Session key of the name of the collection that the search state belongs to."""
ALL_BYTES = 1_000_000_000
"""Bytes of the picture files of all sessions together, at most."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class SearchState:
    """The current search. `shown` is the key of the picture on the canvas; empty if there is none."""

    request: Request = field(default_factory=Request)
    shown: str = ""
    several: bool = False
    """Whether a new box is added to the others instead of replacing them."""
    joining: bool = False
    """Whether the next picture is added to the search instead of starting a new one."""
    pictures: dict[str, Picture] = field(default_factory=dict)
    """Pictures by key, the newest last. Other sessions may remove them, see ALL_BYTES."""
    tokens: dict[str, str] = field(default_factory=dict)
    """Key of a picture -> its id in the address of the page, see kept_pictures.py."""
    crops: LRUCache[Example, bytes] = field(default_factory=lambda: LRUCache(LISTED))
    """Thumbnail JPEGs of the boxes in the list of searches."""
    steps: list[Request] = field(default_factory=list)
    """The searches of this session, each once, the newest last."""

    named: tuple[str, Request, NamedContents] | None = None
    """The generation that answered last, the request, and the contents of what it names."""

    @property
    def boxes(self) -> list[Box]:
        """The boxes on the shown picture."""
        return [example.box for example in self.request.examples if example.picture == self.shown]

    @property
    def room(self) -> int:
        """How many boxes the shown picture can have."""
        return MOST_BOXES - sum(example.picture != self.shown for example in self.request.examples)

    def picture(self, key: str) -> Picture | None:
        """A picture that this session keeps or, since its address names it, the server."""
        return self.pictures.get(key) or kept_pictures().get(self.tokens.get(key, ""))

    def show(self, picture: Picture, boxes: Sequence[Box] = ()) -> None:
        """Put a picture on the canvas. Starts a new search unless `joining` is set.

        A search whose pictures have more than MOST_BYTES together is not extended: a toast says so.
        """
        others = self.request.examples if self.joining else ()
        joined = {example.picture for example in others} - {picture.key}
        if _bytes([picture, *(self.pictures[key] for key in joined if key in self.pictures)]) > MOST_BYTES:
            st.toast(f"The pictures of a search can have {MOST_BYTES // 10**6} MB together.", icon=":material/warning:")
            return
        self.joining, self.several, self.shown = False, bool(others), picture.key
        words = self.request.words if others else ""
        self.request = replace(self.request, examples=others, words=words, positives=(), negatives=())
        self.draw([*self.boxes, *boxes])
        self.keep(picture)

    def keep(self, picture: Picture) -> None:
        """Keep a picture in memory. The oldest ones that the current search does not need make room for it."""
        needed = {example.picture for example in self.request.examples} | {self.shown, picture.key}
        pictures = {key: kept for key, kept in self.pictures.items() if key != picture.key} | {picture.key: picture}
        unused = [key for key in pictures if key not in needed]
        while len(unused) > KEPT or (unused and _bytes(pictures.values()) > MOST_BYTES):
            del pictures[unused.pop(0)]
        self.pictures = pictures
        _make_room(self)

    def draw(self, boxes: Sequence[Box]) -> None:
        """Set the boxes on the shown picture, as many as a search can have. Existing boxes keep their roles."""
        boxes = list(dict.fromkeys(boxes))[: self.room]
        if boxes == self.boxes:
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

    def change(self, number: int, role: Role | None) -> None:
        """Change the role of an example; None removes the example."""
        examples = list(self.request.examples)
        examples[number : number + 1] = [replace(example, role=role) for example in examples[number:][:1] if role]
        self.ask(replace(self.request, examples=arranged(examples)))

    def ask(self, request: Request) -> None:
        """Make this the current search. It joins the list of searches if it can be answered."""
        if request.asks and request not in self.steps:
            self.steps.append(request)
        self.request = request

    def set_options(self, request: Request) -> None:
        """Change options of the current search. It keeps its place in the list of searches."""
        self.steps = [request if step == self.request else step for step in self.steps]
        self.request = request

    def open(self, request: Request, shown: str = "") -> None:
        """Make this the current search, with the picture of its first box or the named one on the canvas."""
        pictures = [example.picture for example in request.examples]
        self.ask(request)
        self.shown = shown or next(iter(pictures), "")
        self.several = bool(pictures) and (len(pictures) > 1 or self.shown != pictures[0])
        self.joining = False

    def follow_names(self, generation: str, tables: Tables) -> None:
        """Keep the marks and the folder of the search when a new generation has other names for them."""
        if self.named and self.named[0] != generation and self.named[1] == self.request:
            self.set_options(with_current_names(self.request, self.named[2], tables))
        if not self.named or self.named[:2] != (generation, self.request):
            self.named = generation, self.request, named_contents(self.request, tables)

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


_states: WeakSet[SearchState] = WeakSet()
_room = threading.Lock()


def _make_room(newest: SearchState) -> None:
    """While all sessions together have more than ALL_BYTES, another one that has most loses its pictures."""
    with _room:
        _states.add(newest)
        held = {state: _bytes(state.pictures.values()) for state in _states}
        while sum(held.values()) > ALL_BYTES and len(held) > 1:
            largest = max(held.keys() - {newest}, key=held.__getitem__)
            largest.pictures = {}
            del held[largest]


def _bytes(pictures: Iterable[Picture]) -> int:
    return sum(len(picture.data) for picture in pictures)


def search_state() -> SearchState:
    """The search state of the session in its collection; initially empty."""
    found: SearchState = st.session_state.setdefault("search", SearchState())
    before, now = st.session_state.get(SEARCH_COLLECTION, search_collection_name()), search_collection_name()
    st.session_state[SEARCH_COLLECTION] = now
    return found if before == now else _carried(found, before, now)


def _carried(before: SearchState, old: str, new: str) -> SearchState:
    """The search in another collection, which has its own list of searches, marks and filters.

    The query goes along. What was marked there for the same query is marked again.
    """
    kept: dict[str, SearchState] = st.session_state.setdefault("searches of collections", {})
    kept[old], state = before, kept.setdefault(new, SearchState())
    asked, own = before.request, state.request
    state.pictures, state.tokens = {**state.pictures, **before.pictures}, before.tokens
    if (own.examples, own.words) != (asked.examples, asked.words):
        only = replace(asked.only, album="")
        state.ask(replace(asked, folder="", only=only, positives=(), negatives=()))
    state.shown, state.several, state.joining = before.shown, before.several, before.joining
    st.session_state["search"] = state
    return state


def name_of(key: str, gallery: Gallery) -> str:
    """The display name of a picture; "Picture" if unknown."""
    picture = search_state().picture(key)
    name = picture.name if picture else gallery.tables.with_contents(key)
    if name in gallery.tables.numbers and gallery.entry(name).sha256 == key:
        return entry_in_words(gallery.entry(name))
    return name_in_words(name or "") or ("Picture" if saved_search_store().picture(key) is None else "Saved picture")


def image_of(key: str, gallery: Gallery) -> LoadedImage:
    """A picture, decoded, from the session, the saved searches or the gallery. Raises UnreadableImage."""
    return decoded(key, query_picture(key, gallery))


def query_picture(key: str, gallery: Gallery) -> Picture:
    """The picture from the session, the saved searches or the gallery. Raises UnreadableImage.

    A thumbnail of the gallery becomes the original as soon as that can be read.
    """
    kept = search_state().picture(key)
    if kept is not None and kept.size is None:
        return kept
    try:
        picture = stored_picture(key, gallery, saved_search_store())
    except UnreadableImage:
        if kept is None:
            raise
        return kept
    if kept is not None and picture.size is None:
        search_state().keep(picture)
    return picture


def is_stored(key: str, gallery: Gallery) -> bool:
    """Whether other sessions can open a picture: it is in the gallery or in the saved searches."""
    return gallery.tables.with_contents(key) is not None or saved_search_store().picture(key) is not None


def open_search(request: Request, gallery: Gallery) -> None:
    """Make a stored request the current search. Raises UnreadableImage if one of its pictures cannot be opened."""
    for example in request.examples:
        image_of(example.picture, gallery)
    search_state().open(request)


def search_from(gallery: Gallery, image: str, box: Box | None = None) -> None:
    """Search with a gallery picture. Raises UnknownPicture."""
    if box is not None and min(box.width, box.height) < SMALLEST_BOX:
        entry = gallery.entry(image)
        box = box.grown(2 * SMALLEST_BOX / min(box.width, box.height)).clipped(entry.width, entry.height)
    search_state().show(picture_of(gallery, image), [box] if box else [])


def open_search_page(gallery: Gallery, image: str, box: Box | None = None) -> None:
    """Open the Search page with a gallery picture. For callbacks of the other pages."""
    search_from(gallery, image, box)
    # The Search page would reject the query parameters that are bound to widgets of the other page.
    st.switch_page("pages/search.py", query_params={})
