"""Export ranked results as plain text, one line per query, best match first.

A line is `query NAME: matches IMAGE IMAGE …`. Names with spaces, colons, quotation marks, backslashes or unprintable
characters are written as JSON strings.
"""

import json
from collections.abc import Iterable, Sequence

from retrieval.types import Hit

QUOTED = set(' ":\\')


def rank_list(answers: Iterable[tuple[str, Sequence[Hit]]]) -> str:
    """Write one line for each query and its hits."""
    return "".join(_line(query, hits) for query, hits in answers)


def _line(query: str, hits: Sequence[Hit]) -> str:
    return " ".join([f"query {_name(query)}: matches", *(_name(hit.image) for hit in hits)]) + "\n"


def _name(name: str) -> str:
    """Return the name, JSON-quoted if it would be ambiguous."""
    if name.isprintable() and name and not QUOTED & set(name):
        return name
    return json.dumps(name, ensure_ascii=not name.isprintable())
