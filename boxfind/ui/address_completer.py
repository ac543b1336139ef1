"""Complete the address of the page in the browser, in place of its entry in the history."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

COMPLETER = st.components.v2.component(
    "boxfind_address", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
)


def complete_address(names: Sequence[str], query: str, key: str) -> None:
    """Put the parameters of a query string into the address, unless it has one of these names already."""
    known = {name: st.query_params.get_all(name) for name in st.query_params}
    COMPLETER(key=key, data={"names": names, "query": query, "known": known})  # another address is completed anew
