"""A search survives encoding as URL parameters, and hostile links are refused."""

import math
from dataclasses import replace
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxfind.searches.errors import BadLink
from boxfind.searches.link import (
    LARGEST_CONTEXT,
    MOST_BOXES,
    MOST_MARKS,
    MOST_PARAMETERS,
    NAMES,
    from_params,
    to_params,
)
from retrieval.request import Example, Request, arranged
from retrieval.search import RANKINGS
from retrieval.types import Box

HASH = "0123456789abcdef" * 4
OBJECT = f"{HASH}:10,20,30,40"

hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
edges = st.lists(st.integers(0, 20_000), min_size=2, max_size=2, unique=True).map(sorted)
boxes = st.tuples(edges, edges).map(lambda sides: Box(sides[0][0], sides[1][0], sides[0][1], sides[1][1]))
examples = st.lists(st.builds(Example, hashes, boxes, st.sampled_from([*NAMES])), max_size=MOST_BOXES).map(arranged)
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)
places = names.filter(lambda name: not name.startswith("/") and ".." not in name.split("/"))
marks = st.lists(places, max_size=12, unique=True).flatmap(
    lambda ids: st.integers(0, len(ids)).map(lambda cut: (tuple(ids[:cut]), tuple(ids[cut:])))
)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    positives, wrong = draw(marks)
    context = draw(st.floats(1, LARGEST_CONTEXT))
    folder = draw(st.one_of(st.just(""), places))
    return Request(draw(examples), draw(st.sampled_from([*RANKINGS])), context, folder, positives, wrong)


@given(requests())
def test_a_search_survives_encoding_and_decoding(request: Request):
    params = to_params(request)
    assert from_params(params) == request
    assert from_params(parse_qs(urlencode(params, doseq=True), keep_blank_values=True, max_num_fields=1000)) == request


def test_the_form_of_a_link():
    box = Box.from_xywh(10, 20, 30, 40)
    shown = Request(
        (Example(HASH, box), Example(HASH, box, "not"), Example(HASH, box, "not")), "fast", 1.2, "below", ("a",), ("b",)
    )
    assert to_params(shown) == {
        "box": [OBJECT],
        "not": [OBJECT, OBJECT],
        "rank": ["fast"],
        "context": ["1.2"],
        "folder": ["below"],
        "right": ["a"],
        "wrong": ["b"],
    }


def test_default_values_are_left_out():
    assert to_params(Request()) == {}
    assert from_params({}) == Request()
    assert from_params({"rank": ["best"], "context": ["1.0"], "folder": [""]}) == Request()


def test_the_order_of_boxes_is_encoded_only_if_it_is_not_the_default():
    box = Box.from_xywh(10, 20, 30, 40)
    usual = Request((Example(HASH, box), Example(HASH, box, "view")))
    reordered = Request(usual.examples[::-1])
    assert "order" not in to_params(usual)
    assert to_params(reordered)["order"] == ["view,box"] and from_params(to_params(reordered)) == reordered


def test_unknown_parameters_are_ignored():
    assert from_params({"box": [OBJECT], "embed": ["true"], "utm_source": ["x"]}) == from_params({"box": [OBJECT]})


HOSTILE = {
    "short hash": {"box": [f"{HASH[1:]}:1,2,3,4"]},
    "capital hash": {"box": [f"{HASH.upper()}:1,2,3,4"]},
    "no hex": {"box": [f"{'g' * 64}:1,2,3,4"]},
    "a path for a hash": {"box": ["../../../etc/passwd:1,2,3,4"]},
    "no picture": {"box": ["1,2,3,4"]},
    "no box": {"box": [HASH]},
    "three numbers": {"box": [f"{HASH}:1,2,3"]},
    "five numbers": {"box": [f"{HASH}:1,2,3,4,5"]},
    "nothing": {"box": [""]},
    "NaN": {"box": [f"{HASH}:nan,2,3,4"]},
    "infinite": {"box": [f"{HASH}:1,2,inf,4"]},
    "negative": {"box": [f"{HASH}:-1,2,3,4"]},
    "huge": {"box": [f"{HASH}:1,2,{'9' * 4000},4"]},
    "a little too wide": {"box": [f"{HASH}:1,2,20000,4"]},
    "fractions": {"box": [f"{HASH}:1.5,2,3,4"]},
    "digits of another script": {"box": [f"{HASH}:1,2,3,\N{ARABIC-INDIC DIGIT FOUR}"]},
    "a line break at the end": {"box": [f"{OBJECT}\n"]},
    "flat": {"box": [f"{HASH}:1,2,3,0"]},
    "two objects": {"box": [OBJECT, OBJECT]},
    "a view of nothing": {"view": [OBJECT]},
    "nine boxes": {"box": [OBJECT], "not": [OBJECT] * MOST_BOXES},
    "a wrong order": {"box": [OBJECT], "view": [OBJECT], "order": ["box,box"]},
    "an order too long": {"box": [OBJECT], "order": ["box,view"]},
    "an unknown ranking": {"box": [OBJECT], "rank": ["__class__"]},
    "two rankings": {"rank": ["best", "fast"]},
    "context NaN": {"context": ["nan"]},
    "context infinite": {"context": ["inf"]},
    "context below one": {"context": ["0.99"]},
    "context too large": {"context": ["1.51"]},
    "context not a number": {"context": ["<script>"]},
    "context with a power": {"context": ["1e0"]},
    "a folder above": {"folder": ["below/../../x"]},
    "a folder from the root": {"folder": ["/etc"]},
    "a zero byte": {"folder": ["a\0b"]},
    "a mark above": {"right": ["../../x"]},
    "a mark without a name": {"wrong": [""]},
    "both right and wrong": {"right": ["a"], "wrong": ["a"]},
    "too many marks": {"right": [str(n) for n in range(MOST_MARKS)], "wrong": ["x"]},
    "ten thousand of one": {"box": [OBJECT] * 10_000},
    "ten thousand names": {str(n): ["x"] for n in range(10_000)},
    "a megabyte in a box": {"box": ["0" * 1_000_000]},
    "a megabyte in a folder": {"folder": ["x" * 1_000_000]},
    "a megabyte in a mark": {"wrong": ["\n" * 1_000_000]},
    "a megabyte that is not ours": {"other": ["x" * 1_000_000]},
    "text where a list belongs": {"rank": "best"},
}


@pytest.mark.parametrize("params", HOSTILE.values(), ids=HOSTILE.keys())
def test_r25_a_hostile_link_is_refused_in_one_sentence(params):
    with pytest.raises(BadLink) as refused:
        from_params(params)
    sentence = str(refused.value)
    assert sentence.startswith("This link is not a valid search: ") and sentence.endswith("start a new search.")
    assert sentence.isprintable() and len(sentence) < 300 and "\0" not in sentence


known_names = st.sampled_from([*NAMES.values(), "order", "rank", "context", "folder", "right", "wrong"])
values = st.one_of(st.text(max_size=30), st.sampled_from([OBJECT, "best", "1.2", "box", "a/b"]))


@given(st.dictionaries(known_names, st.lists(values, max_size=4)))
def test_r25_a_link_of_anything_is_refused_or_is_a_search_that_can_be_sent_again(params):
    try:
        request = from_params(params)
    except BadLink:
        return
    assert from_params(to_params(request)) == request
    assert 1 <= request.context <= LARGEST_CONTEXT and not math.isnan(request.context)


def test_r25_as_much_as_is_allowed_is_taken():
    params = {"box": [OBJECT], "not": [OBJECT] * 7, "right": [f"{n}.jpg" for n in range(MOST_MARKS)]}
    request = from_params(params | {"rank": ["fast"], "context": ["1.5"], "folder": ["x" * 4096]})
    assert len(request.examples) == MOST_BOXES and len(request.positives) == MOST_MARKS
    assert sum(map(len, to_params(request).values())) < MOST_PARAMETERS
    assert from_params({"box": [f"{HASH}:0,0,20000,20000"]}).examples[0].box == Box(0, 0, 20_000, 20_000)


@pytest.mark.parametrize("change", [{"context": math.nan}, {"ranking": "?"}, {"positives": ("a", "a")}])
def test_an_invalid_search_makes_no_valid_link(change):
    with pytest.raises(BadLink):
        from_params(to_params(replace(Request(), **change)))
