"""Name the pictures of a file that holds several: `page=12` of a document, `frame=8` of an animation, `t=83.20` of a
film.

A picture's id is the id of its file, and its place after a #. The first picture of an image file, such as a TIFF of
several pages, has no place: its id is that of the file, as if it were alone, so that indexes and links of earlier
versions stay valid. Pages of PDF files and archives always have one, also if there is only one: it keeps its id when a
second one is added.
"""

import hashlib
import re

from retrieval.errors import UnreadableImage
from retrieval.printable_names import shown

PLACE = re.compile(r"#((?:page|frame)=[1-9]\d{0,5}|t=\d{1,6}\.\d\d)\Z")


def page_place(number: int) -> str:
    """The place of a page, from 1."""
    return f"page={number}"


def frame_place(number: int) -> str:
    """The place of a frame of an animation, from 1."""
    return f"frame={number}"


def time_place(seconds: float) -> str:
    """The place of a moment of a film."""
    return f"t={seconds:.2f}"


def number_of(place: str) -> int:
    """The number of a page or frame, from 1; 1 for the picture without a place."""
    return int(place.partition("=")[2]) if place else 1


def seconds_of(place: str) -> float:
    """The seconds of a moment of a film."""
    return float(place.removeprefix("t="))


def named_place(place: str) -> str:
    """The place by which a picture that cannot be read is named: "page=1" for the first one of an image file."""
    return place or page_place(1)


def place_after(place: str) -> str:
    """The first place that is not read if this is the last one that is."""
    if place.startswith("t="):
        return time_place(seconds_of(place) + 0.01)
    return f"{place.partition('=')[0] or 'page'}={number_of(place) + 1}"


def place_title(place: str) -> str:
    """A place for people: "page 12", "frame 8", "1:23" into a film, "1:02:03"; "" for the first picture of a file."""
    if not place.startswith("t="):
        return place.replace("=", " ")
    minutes, seconds = divmod(int(seconds_of(place)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def join_id(file: str, place: str) -> str:
    """The id of a picture: "trip.mp4", "t=83.20" -> "trip.mp4#t=83.20"."""
    return f"{file}#{place}" if place else file


def split_id(image: str) -> tuple[str, str]:
    """File and place by the form of an id alone; the place is "" if it has none.

    A file may have such a name itself, so callers look for a file with the whole name first.
    """
    found = PLACE.search(image)
    return (image[: found.start()], found[1]) if found and found.start() else (image, "")


def picture_sha256(file_sha256: str, place: str) -> str:
    """What a picture is known by: the SHA-256 of its file, or of that and its place."""
    return hashlib.sha256(f"{file_sha256}#{place}".encode()).hexdigest() if place else file_sha256


def no_such_place(name: str, place: str) -> UnreadableImage:
    """The error for a place that a file does not have."""
    return UnreadableImage("missing", f"{shown(name)} has no picture at {place}.")
