"""Every change of the boxes leaves a request with exactly one object."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import BadBox
from retrieval.request import ROLES, Example, Role, arranged, box_from_text
from retrieval.types import Box


def examples(*roles: Role) -> list[Example]:
    return [Example("ab" * 32, Box(0, 0, 10 + n, 10), role) for n, role in enumerate(roles)]


def roles(found: tuple[Example, ...]) -> list[Role]:
    return [example.role for example in found]


def test_every_role_is_listed() -> None:
    assert set(ROLES) == set(get_args(Role))


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [
        ([], []),
        (["also"], ["object"]),
        (["not"], ["object"]),
        (["also", "view"], ["also", "object"]),
        (["not", "also", "also"], ["not", "object", "also"]),
        (["view", "object", "object"], ["view", "object", "also"]),
    ],
)
def test_arranged_chooses_the_object_by_role(given_: list[Role], wanted: list[Role]) -> None:
    assert roles(arranged(examples(*given_))) == wanted


@given(st.lists(st.sampled_from(ROLES), min_size=1, max_size=8))
def test_arranged_has_one_object_and_changes_nothing_else(given_: list[Role]) -> None:
    before = examples(*given_)
    after = arranged(before)
    assert roles(after).count("object") == 1
    assert [(e.picture, e.box) for e in after] == [(e.picture, e.box) for e in before]
    assert arranged(after) == after
    changed = [(old.role, new.role) for old, new in zip(before, after, strict=True) if old.role != new.role]
    assert all(new == "also" for old, new in changed if old == "object") and len(changed) <= len(given_)


def test_box_from_text_rounds_to_pixels() -> None:
    assert box_from_text("10,20,200,150") == Box(10, 20, 210, 170)
    assert box_from_text(" 0.4, -1.6 ,9.5,1e2") == Box(0, -2, 10, 98)


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "nan,0,5,5", "0,0,inf,5", "1;2;3;4"])
def test_malformed_box_message_has_an_example(text: str) -> None:
    with pytest.raises(BadBox, match="10,20,200,150"):
        box_from_text(text)
