"""Encode a filter of pictures as URL parameters, and validate these parameters, which are untrusted."""

import re
from collections.abc import Mapping, Sequence
from datetime import date

from boxfind.searches.errors import BadLink
from retrieval.printable_names import shown
from retrieval.request import SHAPES, PictureFilter

FILTER_PARAMETERS = ("name", "since", "until", "shape", "pixels", "album")
LONGEST_TEXT = 300
NUMBER = re.compile(r"[0-9]{1,10}")


def filter_to_params(chosen: PictureFilter) -> dict[str, list[str]]:
    """Return the parameters of a filter; parts that pass every picture are left out."""
    values = (
        chosen.name,
        chosen.since.isoformat() if chosen.since else "",
        chosen.until.isoformat() if chosen.until else "",
        chosen.shape,
        str(chosen.min_pixels or ""),
        chosen.album,
    )
    return {name: [value] for name, value in zip(FILTER_PARAMETERS, values, strict=True) if value}


def filter_from_params(params: Mapping[str, Sequence[str]]) -> PictureFilter:
    """Return the filter that `filter_to_params` encoded. Raises BadLink."""
    repeated = [name for name in FILTER_PARAMETERS if len(params.get(name, ())) > 1]
    if repeated:
        raise BadLink(f"it has more than one parameter {repeated[0]!r}")
    name, since, until, shape, pixels, album = ((params.get(name) or [""])[0] for name in FILTER_PARAMETERS)
    if max(len(name), len(album)) > LONGEST_TEXT:
        raise BadLink(f"its filter has a text of more than {LONGEST_TEXT} characters")
    if not (name + album).isprintable():
        raise BadLink("its filter has unprintable characters")
    if shape not in SHAPES:
        raise BadLink(f"there is no shape {shown(shape)!r}, only {', '.join(filter(None, SHAPES))}")
    if pixels and not NUMBER.fullmatch(pixels):
        raise BadLink(f"{shown(pixels)!r} is not a number of pixels")
    try:
        return PictureFilter(name, day_from(since), day_from(until), shape, int(pixels or 0), album)
    except ValueError as problem:
        raise BadLink(str(problem)) from None


def day_from(text: str) -> date | None:
    """The day that a text says, None if it is empty. Raises ValueError with a message for users."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise ValueError(f"{shown(text)!r} is not a date; write it as 2025-03-09") from None
