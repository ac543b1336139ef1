"""What was found as plain lines of text: a query, and the pictures that match it, best first.

A line is `query NAME: matches IMAGE IMAGE …`. A name that a space, a quotation mark or something that cannot be seen
would break is written as a JSON string, in quotation marks.
"""

import json
from collections.abc import Iterable, Sequence

from retrieval.types import Hit

QUOTED = set(' ":\\')


def rank_list(answers: Iterable[tuple[str, Sequence[Hit]]]) -> str:
    """A line for each query and its hits."""
    return "".join(_line(query, hits) for query, hits in answers)


def _line(query: str, hits: Sequence[Hit]) -> str:
    return " ".join([f"query {_name(query)}: matches", *(_name(hit.image) for hit in hits)]) + "\n"


def _name(name: str) -> str:
    """The name as it is where nothing in it could be taken for something else."""
    if name.isprintable() and name and not QUOTED & set(name):
        return name
    return json.dumps(name, ensure_ascii=not name.isprintable())
