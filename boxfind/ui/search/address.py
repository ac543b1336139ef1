"""Keep the search in the address of the page, so that Back, Forward, reload and a copied address open it.

An address names a picture of the gallery or of a saved search by its SHA-256, and any other one by the random id under
which the server keeps it for some time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from urllib.parse import urlencode

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from boxfind.searches.link import MOST_MARKS, NAMES, PARAMETERS, Params, from_params, to_params
from boxfind.ui.address_completer import complete_address
from boxfind.ui.collection_choice import collection_params
from boxfind.ui.search.kept_pictures import ID, kept_pictures, new_id
from boxfind.ui.search.search_state import SearchState, image_of, is_stored, search_state
from boxfind.ui.session import GONE, shared_engine
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from retrieval.descriptors.embedder import checked_box
from retrieval.errors import BoxfindError, UnreadableImage

PICTURE = "picture"
"""The parameter of the picture on the canvas, if it is not that of the first box."""
SEARCH_PARAMETERS = (*PARAMETERS, PICTURE)
LONGEST = 4000
"""The marks are left out of an address that would have more characters, since web servers refuse long ones."""
ADDRESS_READ = "address was read"
KEPT_ADDRESS = "address that stays"


@contextmanager
def search_in_address() -> Iterator[None]:
    """Open the search of the address before the Search page runs, and put the current search there.

    A search that a callback started is there before its results, since a visitor may leave the page while it runs.
    """
    try:
        gallery = shared_engine().gallery()
    except BoxfindError:  # the page says why there is none
        yield
        return
    _read(gallery)
    if _params_in_address():
        _write(gallery)
    try:
        yield
    finally:  # also if the page stops early
        _write(gallery)


def address_of(state: SearchState, gallery: Gallery) -> dict[str, list[str]]:
    """The parameters of the current search. Its uploaded pictures are kept from now on."""
    request = state.request
    first = next((example.picture for example in request.examples), "")
    params = to_params(request) | ({PICTURE: [state.shown]} if state.shown not in ("", first) else {})
    pictures = {example.picture for example in request.examples} | {state.shown}
    params = _renamed(params, {key: _name(state, key, gallery) for key in pictures}.__getitem__)
    marks = len(request.positives) + len(request.negatives)
    if marks > MOST_MARKS or len(urlencode(params, doseq=True)) > LONGEST:
        params = {name: values for name, values in params.items() if name not in ("right", "wrong")}
    return params


def open_address(params: Params, gallery: Gallery) -> None:
    """Make the search with these untrusted parameters the current one. Raises BoxfindError, and keeps the search."""
    state = search_state()
    params = _renamed(params, lambda name: _key(state, name))
    request, shown = from_params(params), (params.get(PICTURE) or [""])[-1]
    if shown:
        image_of(shown, gallery)
    sizes = {example.picture: image_of(example.picture, gallery).size for example in request.examples}
    inside = (replace(example, box=checked_box(sizes[example.picture], example.box)) for example in request.examples)
    state.open(replace(request, examples=tuple(inside)), shown)


def _read(gallery: Gallery) -> None:
    """Open the search of the address when a visit begins, and after Back and Forward of the browser.

    An address without a search, which is about to be completed, keeps the current search.
    """
    told, first = _params_in_address(), ADDRESS_READ not in st.session_state
    st.session_state[ADDRESS_READ] = True
    if not told or not (first or _navigated()) or told == address_of(search_state(), gallery):
        return
    try:
        open_address(told, gallery)
    except BoxfindError as error:
        st.warning(plain(str(error)), icon=":material/link_off:")
    st.session_state[KEPT_ADDRESS] = told, address_of(search_state(), gallery)


def _write(gallery: Gallery) -> None:
    """Add the current search to the history of the browser, or complete an address without a search.

    An address that the page has read stays until there is another search, even if it cannot be opened or says the same
    in another way: a new entry would lead Back to the same search.
    """
    told, address = _params_in_address(), address_of(search_state(), gallery)
    if (address == told and not collection_params()) or st.session_state.get(KEPT_ADDRESS) == (told, address):
        return
    if told:
        others = {name: st.query_params.get_all(name) for name in st.query_params if name not in SEARCH_PARAMETERS}
        st.query_params.from_dict(others | address)
    else:
        query = urlencode(collection_params() | address, doseq=True)
        complete_address(SEARCH_PARAMETERS, query, key="address")


def _navigated() -> bool:
    """Whether the visitor went back or forward in the history of the browser."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def _params_in_address() -> dict[str, list[str]]:
    """The parameters of the search in the address, which are untrusted."""
    return {name: st.query_params.get_all(name) for name in SEARCH_PARAMETERS if name in st.query_params}


def _renamed(params: Params, rename: Callable[[str], str]) -> dict[str, list[str]]:
    """Parameters with other names for the pictures."""

    def renamed(value: str) -> str:
        picture, colon, box = value.partition(":")
        return rename(picture) + colon + box

    pictures = {*NAMES.values(), PICTURE}
    return {name: [renamed(value) if name in pictures else value for value in params[name]] for name in params}


def _name(state: SearchState, key: str, gallery: Gallery) -> str:
    """The name of a picture in an address."""
    with suppress(BoxfindError):  # the saved searches cannot be read
        if not key or is_stored(key, gallery):
            return key
    token = state.tokens.setdefault(key, new_id())
    picture = state.picture(key)
    if picture is not None:
        kept_pictures().keep(token, picture)
    return token


def _key(state: SearchState, name: str) -> str:
    """The key of the picture with this name. Raises UnreadableImage if it was an upload that is no longer kept."""
    if not ID.fullmatch(name):
        return name
    picture = kept_pictures().get(name)
    if picture is None:
        raise UnreadableImage("gone", GONE)
    state.tokens[picture.key] = name
    state.keep(picture)
    return picture.key
