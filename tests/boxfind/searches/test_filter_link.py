"""Filters survive a link, and untrusted parameters are validated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxfind.searches.errors import BadLink
from boxfind.searches.filter_link import FILTER_PARAMETERS, filter_from_params, filter_to_params
from boxfind.searches.link import from_params, to_params
from retrieval.request import EVERY_PICTURE, SHAPES, PictureFilter, Request

CHARACTERS = st.characters(categories=("L", "N", "P", "Zs"), max_codepoint=0x2FF)
TEXTS = st.text(CHARACTERS, max_size=300).filter(str.isprintable)
FILTERS = st.builds(
    PictureFilter,
    TEXTS,
    st.none() | st.dates(),
    st.none() | st.dates(),
    st.sampled_from(SHAPES),
    st.integers(0, 10**9),
    TEXTS,
)


@given(FILTERS)
def test_a_filter_survives_a_link(chosen: PictureFilter) -> None:
    params = filter_to_params(chosen)
    assert filter_from_params(params) == chosen and params.keys() <= set(FILTER_PARAMETERS)
    request = Request(words="a cup", only=chosen)
    assert from_params(to_params(request)) == request


def test_no_filter_adds_nothing_to_a_link() -> None:
    assert filter_to_params(EVERY_PICTURE) == {} and filter_from_params({}) == EVERY_PICTURE


@pytest.mark.parametrize(
    "params",
    [
        {"name": ["a", "b"]},
        {"name": ["x" * 301]},
        {"name": ["a\ud800"]},
        {"album": ["a\nb"]},
        {"since": ["yesterday"]},
        {"until": ["2025-02-30"]},
        {"shape": ["round"]},
        {"pixels": ["-1"]},
        {"pixels": ["99999999999"]},
    ],
)
def test_bad_parameters_are_refused(params: dict[str, list[str]]) -> None:
    with pytest.raises(BadLink):
        filter_from_params(params)
