"""A search as the query part of an address, which may have come from anybody, and back."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from boxfind.searches.errors import BadLink
from retrieval.images.limits import LIMITS
from retrieval.printable_names import shown
from retrieval.request import Example, Request, Role
from retrieval.search import RANKINGS
from retrieval.types import Box

Params = Mapping[str, Sequence[str]]
"""The values of each parameter of an address, in order, as they are after decoding."""

NAMES: dict[Role, str] = {"object": "box", "view": "view", "also": "also", "not": "not"}
"""The parameter that holds boxes of a role; examples stand in this order of roles unless `order` says otherwise."""
MOST_PARAMETERS = 300
"""Of all names together; those that are none of ours are counted too, and else ignored."""
LONGEST_PARAMETER = 4096
"""Characters; the id of an image is a path, and no longer path can be opened."""
MOST_BOXES = 8
MOST_MARKS = 200
LONGEST_WORDS = 300
LARGEST_CONTEXT = 1.5
BOX = re.compile(r"([0-9a-f]{64}):" + ",".join([r"([0-9]{1,5})"] * 4))
CONTEXT = re.compile(r"[0-9](\.[0-9]{1,17})?")
DEFAULT = Request()


def to_params(request: Request) -> dict[str, list[str]]:
    """The values of each parameter that is needed; none of them is encoded for an address yet."""
    params: dict[str, list[str]] = {name: [] for name in NAMES.values()}
    for example in request.examples:
        params[NAMES[example.role]].append(_box_text(example))
    order = [NAMES[example.role] for example in request.examples]
    params["order"] = [",".join(order)] if order != _usual_order(params) else []
    params["rank"] = [request.ranking] if request.ranking != DEFAULT.ranking else []
    params["context"] = [repr(request.context)] if request.context != DEFAULT.context else []
    params["words"] = [request.words] if request.words else []
    params["folder"] = [request.folder] if request.folder else []
    params |= {"right": [*request.positives], "wrong": [*request.negatives]}
    return {name: values for name, values in params.items() if values}


def from_params(params: Params) -> Request:
    """The search a link leads to, and the same that `to_params` was given. Raises BadLink."""
    if sum(map(len, params.values())) > MOST_PARAMETERS:
        raise BadLink(f"it has more than {MOST_PARAMETERS} parts")
    if any(len(value) > LONGEST_PARAMETER for values in params.values() for value in values):
        raise BadLink(f"one of its parts has more than {LONGEST_PARAMETER} characters")
    positives, negatives = tuple(params.get("right", ())), tuple(params.get("wrong", ()))
    return Request(
        _examples(params),
        _ranking(_only(params, "rank", DEFAULT.ranking)),
        _context(_only(params, "context", repr(DEFAULT.context))),
        _place(_only(params, "folder", DEFAULT.folder), "a folder"),
        *_marks(positives, negatives),
        _words(_only(params, "words", DEFAULT.words)),
    )


def _box_text(example: Example) -> str:
    return f"{example.picture}:{','.join(map(str, example.box.xywh))}"


def _usual_order(params: Params) -> list[str]:
    return [name for name in NAMES.values() for _ in params.get(name, ())]


def _only(params: Params, name: str, default: str) -> str:
    values = params.get(name) or [default]
    if len(values) > 1:
        raise BadLink(f"it has {len(values)} parts called {name!r}, and can have only one")
    return values[0]


def _examples(params: Params) -> tuple[Example, ...]:
    usual = _usual_order(params)
    if len(usual) > MOST_BOXES:
        raise BadLink(f"it has {len(usual)} boxes, and can have up to {MOST_BOXES}")
    if usual and usual.count(NAMES["object"]) != 1:
        raise BadLink("just one box must show the object that is looked for")
    order = _only(params, "order", ",".join(usual)).split(",") if usual else []
    if Counter(order) != Counter(usual):
        raise BadLink("its boxes are not all in order")
    of_name = {name: iter([_example(text, role) for text in params.get(name, ())]) for role, name in NAMES.items()}
    return tuple(next(of_name[name]) for name in order)


def _example(text: str, role: Role) -> Example:
    parts = BOX.fullmatch(text)
    if parts is None:
        raise BadLink(f"{shown(text)!r} does not describe a box on a picture")
    x, y, w, h = map(int, parts.groups()[1:])
    if not (w and h):
        raise BadLink("one of its boxes is empty")
    if max(x + w, y + h) > LIMITS.longest_side:
        raise BadLink(f"no picture has a side of {max(x + w, y + h)} pixels")
    return Example(parts[1], Box.from_xywh(x, y, w, h), role)


def _ranking(name: str) -> str:
    if name not in RANKINGS:
        raise BadLink(f"there is no ranking called {shown(name)!r}, only {' and '.join(sorted(RANKINGS))}")
    return name


def _context(text: str) -> float:
    context = float(text) if CONTEXT.fullmatch(text) else 0.0
    if not 1 <= context <= LARGEST_CONTEXT:
        raise BadLink(f"the context of a box is a number from 1 to {LARGEST_CONTEXT}, not {shown(text)!r}")
    return context


def _words(text: str) -> str:
    if len(text) > LONGEST_WORDS:
        raise BadLink(f"it has {len(text)} characters of words to search for, and can have up to {LONGEST_WORDS}")
    return text.strip()


def _marks(positives: tuple[str, ...], negatives: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    marks = positives + negatives
    if len(marks) > MOST_MARKS:
        raise BadLink(f"it calls {len(marks)} pictures right or wrong, and can do so with up to {MOST_MARKS}")
    if len(set(marks)) < len(marks):
        raise BadLink("it calls a picture right or wrong more than once")
    if "" in marks:
        raise BadLink("a picture that it calls right or wrong has no name")
    for mark in marks:
        _place(mark, "a picture")
    return positives, negatives


def _place(text: str, what: str) -> str:
    if "\0" in text or text.startswith("/") or ".." in text.split("/"):
        raise BadLink(f"{shown(text)!r} cannot be {what} of a gallery")
    return text
