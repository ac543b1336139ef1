"""Show a long sequence in pages."""

from collections.abc import Sequence
from typing import Literal, TypeVar

import streamlit as st

T = TypeVar("T")


def page_of(items: Sequence[T], per_page: int, key: str, bind: Literal["query-params"] | None = None) -> Sequence[T]:
    """The items of the page the visitor chose. Shows the page buttons if there are several pages."""
    pages = -(-len(items) // per_page)
    page = st.pagination(pages, key=key, bind=bind) if pages > 1 else 1
    return items[(page - 1) * per_page : page * per_page]
