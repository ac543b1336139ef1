"""Which collection this visitor looks at: kept in the session and in the address of the page, chosen in the sidebar."""

from urllib.parse import urlencode

import streamlit as st

from boxfind.collection_table import ALL, DEFAULT, SAMPLE, Collection, same_name
from boxfind.searches.link import PARAMETERS
from boxfind.ui.address_completer import complete_address
from boxfind.ui.error_boundary import errors_as_toasts
from boxfind.ui.session import COLLECTION, EVERYWHERE, shared_engines
from boxfind.ui.widgets.safe_text import plain
from boxfind.ui.widgets.synced_widgets import synced
from retrieval.errors import IndexProblem
from retrieval.printable_names import shown

PARAMETER = "collection"
OF_EVERY_COLLECTION = ({*PARAMETERS} - {"folder", "album", "right", "wrong"}) | {"picture"}
"""The parameters in an address that stay after a change of collection: those of the query."""
OF_ONE_COLLECTION = (
    *("gallery folder", "gallery page", "selected pictures", "chosen pictures", "opened group", "opened search"),
    *("index check", "upload report", "requested download", "dialog requested"),
)
"""Session keys that do not outlast a change of collection: ids and filters of its pictures."""
TOLD = "told about the collection"


def current_collection() -> Collection:
    """The collection that this visitor looks at. Raises CollectionsProblem."""
    name, collections = st.session_state.get(COLLECTION, ""), shared_engines().collections.all()
    return next((one for one in collections if same_name(one.name, name)), collections[0])


def title_of(collection: Collection) -> str:
    """Its name for people."""
    if collection.name == SAMPLE:
        return "Sample gallery"
    if collection.name == DEFAULT:
        return shown(collection.folders[0].name) if collection.folders else "Gallery"
    return collection.name


def search_collection_name() -> str:
    """The name of the collection that this session searches, or ALL."""
    return ALL if searches_everywhere() else current_collection().name


def searches_everywhere() -> bool:
    """Whether the Search page searches in all collections."""
    return bool(st.session_state.get(EVERYWHERE, False))


def collection_in_address(page: st.Page) -> None:
    """Look at the collection that the address names; without one, put the current one there."""
    if sentence := st.session_state.pop(TOLD, ""):
        st.toast(sentence, icon=":material/info:")
    names = [collection.name for collection in shared_engines().collections.all()]
    told = st.query_params.get(PARAMETER, "")
    if len(names) < 2:
        st.session_state[EVERYWHERE] = False
        return
    known = next((name for name in names if same_name(name, told)), None)
    if told and same_name(told, ALL):
        if not searches_everywhere():
            _enter(current_collection().name, everywhere=True)
    elif known is not None:
        if known != current_collection().name or (searches_everywhere() and not page.url_path):
            _enter(known, everywhere=False)
    elif told:
        st.toast(f"There is no collection called {plain(shown(told))}.", icon=":material/link_off:")
        st.query_params[PARAMETER] = address_name(page)
    elif page.url_path:  # the Search page completes its address with the search
        complete_address([PARAMETER], urlencode({PARAMETER: address_name(page)}), key="collection address")


def address_name(page: st.Page | None = None) -> str:
    """The current collection, as the address of a page names it; only the Search page can show all."""
    on_search = page is None or not page.url_path
    return ALL if on_search and searches_everywhere() else current_collection().name


def collection_params() -> dict[str, str]:
    """The parameter that the address of the Search page lacks; none if there is one collection only."""
    return collection_to_share() if PARAMETER not in st.query_params else {}


def collection_to_share() -> dict[str, str]:
    """The parameter of an address that names what this session searches; none if there is one collection only."""
    return {PARAMETER: address_name()} if len(shared_engines().collections.all()) > 1 else {}


@errors_as_toasts()
def look_at(name: str, told: str = "") -> None:
    """Open the Search page with another collection; `told` is shown there for a moment. For callbacks."""
    _enter(name, everywhere=False)
    st.session_state[TOLD] = told  # a toast of this run would not outlast the change of page
    st.switch_page("pages/search.py", query_params={PARAMETER: name})


def switch_collection(name: str, everywhere: bool = False) -> None:
    """Look at another collection from now on. For callbacks; without a name at the first one."""
    _enter(name or shared_engines().collections.all()[0].name, everywhere)
    params = {one: st.query_params.get_all(one) for one in OF_EVERY_COLLECTION if one in st.query_params}
    st.query_params.from_dict(params | {PARAMETER: [ALL if everywhere else current_collection().name]})


def collection_chooser(page: st.Page) -> None:
    """A field that switches between the collections; on the Search page it also offers all. Hidden if there is one."""
    collections = shared_engines().collections.all()
    if len(collections) < 2:
        return
    titles = {collection.name: title_of(collection) for collection in collections}
    if not page.url_path:
        titles[ALL] = "All collections"
    chosen, names = address_name(page), list(titles)
    st.selectbox(
        "Collection",
        names,
        index=names.index(chosen),
        format_func=titles.__getitem__,
        **synced("collection", chosen, _choose),
    )


@errors_as_toasts()
def _choose(name: str) -> None:
    everywhere = name == ALL
    switch_collection(current_collection().name if everywhere else name, everywhere)


def _enter(name: str, everywhere: bool) -> None:
    """Change the collection of the session. The query goes along; what belongs to the old collection stays there."""
    if everywhere:
        name = _with_index(name)
    st.session_state[COLLECTION], st.session_state[EVERYWHERE] = name, everywhere
    for key in OF_ONE_COLLECTION:
        st.session_state.pop(key, None)


def _with_index(name: str) -> str:
    """This collection if it can be searched, or another one that can."""
    engines = shared_engines()
    names = [name, *(collection.name for collection in engines.collections.all())]
    for candidate in names:
        try:
            engines.get(candidate).gallery()
        except IndexProblem:
            continue
        return candidate
    return name
