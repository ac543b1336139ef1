"""Encode a search as URL parameters, and validate the parameters of a link, which are untrusted."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from boxfind.searches.errors import BadLink
from boxfind.searches.filter_link import FILTER_PARAMETERS, filter_from_params, filter_to_params
from retrieval.images.limits import LIMITS
from retrieval.printable_names import shown
from retrieval.request import Example, Request, Role
from retrieval.search import RANKINGS
from retrieval.types import Box

Params = Mapping[str, Sequence[str]]
"""The decoded values of each URL parameter, in order."""

NAMES: dict[Role, str] = {"object": "box", "view": "view", "also": "also", "not": "not"}
"""Role -> parameter of its boxes. Examples are in this order of roles unless the parameter `order` differs."""
PARAMETERS = (*NAMES.values(), "order", "rank", "context", "words", "folder", *FILTER_PARAMETERS, "right", "wrong")
"""The names of all parameters of a search."""
MOST_PARAMETERS = 300
"""Maximum number of values of all parameters, including unknown ones, which are otherwise ignored."""
LONGEST_PARAMETER = 4096
"""Maximum length of a value in characters. Image ids are paths, and longer paths cannot be opened."""
MOST_BOXES = 8
MOST_MARKS = 200
LONGEST_WORDS = 300
LARGEST_CONTEXT = 1.5
BOX = re.compile(r"([0-9a-f]{64}):" + ",".join([r"([0-9]{1,5})"] * 4))
CONTEXT = re.compile(r"[0-9](\.[0-9]{1,17})?")
DEFAULT = Request()


def to_params(request: Request) -> dict[str, list[str]]:
    """Return the parameters of a search, not yet percent-encoded. Default values are left out."""
    params: dict[str, list[str]] = {name: [] for name in NAMES.values()}
    for example in request.examples:
        box = ",".join(map(str, example.box.xywh))
        params[NAMES[example.role]].append(f"{example.picture}:{box}")
    order = [NAMES[example.role] for example in request.examples]
    params["order"] = [",".join(order)] if order != _default_order(params) else []
    params["rank"] = [request.ranking] if request.ranking != DEFAULT.ranking else []
    params["context"] = [repr(request.context)] if request.context != DEFAULT.context else []
    params["words"] = [request.words] if request.words else []
    params["folder"] = [request.folder] if request.folder else []
    params |= filter_to_params(request.only)
    params |= {"right": [*request.positives], "wrong": [*request.negatives]}
    return {name: values for name, values in params.items() if values}


def from_params(params: Params) -> Request:
    """Return the search that `to_params` encoded. Raises BadLink."""
    if sum(map(len, params.values())) > MOST_PARAMETERS:
        raise BadLink(f"it has more than {MOST_PARAMETERS} parameters")
    if any(len(value) > LONGEST_PARAMETER for values in params.values() for value in values):
        raise BadLink(f"one of its parameters has more than {LONGEST_PARAMETER} characters")
    ranking = _single(params, "rank", DEFAULT.ranking)
    if ranking not in RANKINGS:
        raise BadLink(f"there is no ranking {shown(ranking)!r}, only {' and '.join(sorted(RANKINGS))}")
    context = _single(params, "context", repr(DEFAULT.context))
    if not CONTEXT.fullmatch(context) or not 1 <= float(context) <= LARGEST_CONTEXT:
        raise BadLink(f"the context must be a number from 1 to {LARGEST_CONTEXT}, not {shown(context)!r}")
    folder = _single(params, "folder", DEFAULT.folder)
    if not _is_relative(folder):
        raise BadLink(f"{shown(folder)!r} is not a folder of a gallery")
    words = _single(params, "words", DEFAULT.words)
    if len(words) > LONGEST_WORDS:
        raise BadLink(f"its text has {len(words)} characters; the maximum is {LONGEST_WORDS}")
    positives, negatives = tuple(params.get("right", ())), tuple(params.get("wrong", ()))
    _check_marks(positives + negatives)
    only = filter_from_params(params)
    return Request(_examples(params), ranking, float(context), folder, positives, negatives, words.strip(), only)


def _default_order(params: Params) -> list[str]:
    return [name for name in NAMES.values() for _ in params.get(name, ())]


def _single(params: Params, name: str, default: str) -> str:
    values = params.get(name) or [default]
    if len(values) > 1:
        raise BadLink(f"it has {len(values)} parameters {name!r}; only one is allowed")
    return values[0]


def _examples(params: Params) -> tuple[Example, ...]:
    names = _default_order(params)
    if len(names) > MOST_BOXES:
        raise BadLink(f"it has {len(names)} boxes; the maximum is {MOST_BOXES}")
    if names and names.count(NAMES["object"]) != 1:
        raise BadLink("exactly one box must be the query object")
    order = _single(params, "order", ",".join(names)).split(",") if names else []
    if Counter(order) != Counter(names):
        raise BadLink("the order does not list all boxes")
    examples = {name: iter([_example(text, role) for text in params.get(name, ())]) for role, name in NAMES.items()}
    return tuple(next(examples[name]) for name in order)


def _example(text: str, role: Role) -> Example:
    parts = BOX.fullmatch(text)
    if parts is None:
        raise BadLink(f"{shown(text)!r} is not a box on a picture")
    x, y, w, h = map(int, parts.groups()[1:])
    if not (w and h):
        raise BadLink("one of its boxes is empty")
    if max(x + w, y + h) > LIMITS.longest_side:
        raise BadLink(f"no picture has a side of {max(x + w, y + h)} pixels")
    return Example(parts[1], Box.from_xywh(x, y, w, h), role)


def _check_marks(marks: Sequence[str]) -> None:
    if len(marks) > MOST_MARKS:
        raise BadLink(f"it marks {len(marks)} pictures as right or wrong; the maximum is {MOST_MARKS}")
    if len(set(marks)) < len(marks):
        raise BadLink("it marks a picture as right or wrong more than once")
    invalid = [mark for mark in marks if not mark or not _is_relative(mark)]
    if invalid:
        raise BadLink(f"{shown(invalid[0])!r} is not a picture of a gallery")


def _is_relative(path: str) -> bool:
    """Whether a path cannot lead out of the gallery."""
    return "\0" not in path and not path.startswith("/") and ".." not in path.split("/")
