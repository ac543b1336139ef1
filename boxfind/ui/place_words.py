"""Say in plain words where in its file a picture is: page 12, frame 8, at 1:23."""

from index.storage.tables import ImageEntry
from retrieval.images.file_kinds import suffix_of
from retrieval.images.places import frame_place, number_of, page_place, seconds_of, split_id

MOMENT, PAGE = "t", "page"
SCANS = (".tif", ".tiff")
"""Suffixes of image files that hold pages; others hold frames of an animation."""
ALSO = {MOMENT: ("also at", "also at"), PAGE: ("also on page", "also on pages")}
ALSO_FRAMES = ("also in frame", "also in frames")
OTHERS = {MOMENT: ("other moment", "other moments"), PAGE: ("other page", "other pages")}
OTHER_FRAMES = ("other frame", "other frames")


def place_of(entry: ImageEntry) -> str:
    """The place of a gallery picture, also of the first one in an image file that holds several; else empty."""
    if entry.place or not entry.file_sha256:
        return entry.place
    return first_place(entry.source)


def first_place(file: str) -> str:
    """The place of the first picture in an image file that holds several."""
    return page_place(1) if suffix_of(file) in SCANS else frame_place(1)


def entry_in_words(entry: ImageEntry) -> str:
    """The id of a gallery picture as people say it: "catalogue.pdf, page 12"."""
    return _joined(entry.source, place_of(entry))


def name_in_words(name: str) -> str:
    """The name of a query picture as people say it. A moment is told exactly, since it was chosen."""
    file, place = split_id(name)
    return _joined(file, place, exact=True)


def place_in_words(place: str, exact: bool = False) -> str:
    """ "page 12", "frame 8", "at 1:23"."""
    kind = place.partition("=")[0]
    return f"at {place_label(place, exact)}" if kind == MOMENT else f"{kind} {number_of(place):,}"


def place_label(place: str, exact: bool = False) -> str:
    """A place without its kind: "12", "1:23"."""
    return clock(seconds_of(place), exact) if place.startswith(f"{MOMENT}=") else f"{number_of(place):,}"


def place_number(place: str) -> float:
    """What the places of a file are sorted by: seconds, or a number."""
    return seconds_of(place) if place.startswith(f"{MOMENT}=") else float(number_of(place))


def also_words(place: str, found: bool = True) -> tuple[str, str]:
    """What comes before the label of one other place of the file, and before those of several.

    `found`: whether the object is likely there, too.
    """
    kind = place.partition("=")[0]
    return ALSO.get(kind, ALSO_FRAMES) if found else OTHERS.get(kind, OTHER_FRAMES)


def clock(seconds: float, exact: bool = False) -> str:
    """ "1:23", "1:02:03"; with hundredths of a second if they are asked for and not zero: "1:23.40"."""
    hundredths = round(100 * seconds)
    minutes, rest = divmod(hundredths // 100, 60)
    hours, minutes = divmod(minutes, 60)
    told = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return f"{told}.{hundredths % 100:02}" if exact and hundredths % 100 else told


def _joined(file: str, place: str, exact: bool = False) -> str:
    return f"{file}, {place_in_words(place, exact)}" if place else file
