"""Files that hold one picture or several: which they are by their first bytes, and how their pictures are read.

Runs in worker processes, since files are not to be trusted.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from retrieval.errors import UnreadableImage
from retrieval.images.archive import ArchivePages
from retrieval.images.decode import LoadedImage, check_file, decode_picture, read_file
from retrieval.images.file_kinds import PDF, START, UNREAD, VIDEO, ZIP, is_unread, picture_format, unread_sentence
from retrieval.images.image_pages import ImagePages, image_places
from retrieval.images.limits import LIMITS, MEGABYTE, SOURCE_LIMITS, SourceLimits
from retrieval.images.pdf import PdfPages
from retrieval.images.places import named_place, no_such_place, seconds_of, split_id, time_place
from retrieval.printable_names import shown
from retrieval.types import WrittenLine

TOO_MANY = "too_many_pages"
"""Reason code of the first page that is not read because the document has more than the limit."""
LIMITED = ("file_too_large", TOO_MANY)
"""Reason codes of files and pages that other limits may let in."""
NO_PLACE = "-"
"""Stands for the empty place of the first picture of an image file."""
MOST_PLACES = 500
"""Most pictures of a file to choose from on a page."""


class Pages(Protocol):
    """The pictures of a file that has places for them: pages, or frames of an animation."""

    places: Sequence[str]
    total: int
    """The number of all pages, also those beyond the limit."""

    def __enter__(self) -> Self:
        """Ready to read."""

    def __exit__(self, *reason: object) -> None:
        """Close the file."""

    def picture(self, place: str, enough: int | None = None) -> LoadedImage:
        """Decode one; see decode_picture. Raises UnreadableImage."""

    def is_new(self, picture: LoadedImage) -> bool:
        """Whether a picture differs from those of the same animation before it."""


OpenPages = Callable[[Path, str, SourceLimits, bool], Pages]
PAGED: dict[str, OpenPages] = {
    PDF: PdfPages,
    ZIP: ArchivePages,
    **dict.fromkeys(("TIFF", "GIF", "WEBP", "PNG", "AVIF"), ImagePages),
}
"""By format, what opens a file with several pages or frames. Videos are streams: see `pictures`."""
ALWAYS_SEVERAL = (PDF, ZIP, VIDEO)


@dataclass(frozen=True, slots=True)
class Reading:
    """How the pictures of files are read."""

    limits: SourceLimits = SOURCE_LIMITS
    incomplete: bool = False
    """Whether pictures of which a part is missing are read."""


BY_DEFAULT = Reading()


def source_format(path: Path, name: str = "") -> str:
    """The format of a file, one of READ, or another one that is not read; "" if unknown. Raises UnreadableImage."""
    try:
        check_file(path, None)
        with path.open("rb") as file:
            return picture_format(name or path.name, file.read(START))
    except (OSError, ValueError):
        read_file(path)  # raises the reason
        return ""


def check_source(path: Path, name: str, kind: str, limits: SourceLimits) -> None:
    """Raises UnreadableImage if a document or video is too large, or if the package that reads it is missing."""
    if is_unread(kind):
        raise UnreadableImage(UNREAD, unread_sentence(shown(name), kind))
    size, most = path.stat().st_size, limits.document_mb * MEGABYTE
    if not size:
        raise UnreadableImage("empty", f"{shown(name)} is empty (0 bytes).")
    if kind in (PDF, ZIP) and size > most:
        raise UnreadableImage(
            "file_too_large",
            f"{shown(name)} is {size / MEGABYTE:.0f} MB; the limit of documents is {limits.document_mb} MB "
            "(BOXFIND_DOCUMENT_MB).",
        )


def holds_several(data: bytes, name: str, limits: SourceLimits) -> bool:
    """Whether a picture file has pages or frames. Raises UnreadableImage."""
    return len(image_places(data, name, limits)[0]) > 1


def pictures(
    path: Path,
    reading: Reading,
    enough: int | None = None,
    part: tuple[int, int | None] = (0, None),
    begin: Callable[[int, str], None] = lambda *_: None,
) -> Iterator[tuple[str, LoadedImage | UnreadableImage]]:
    """The place and the picture of each of a file that holds several, or why it cannot be read.

    `part`: the numbers of the first one and of the one behind the last, from 0; films are always read whole. Near-equal
    frames of an animation are left out. `begin` receives the number and the place of a picture before it is
    decoded. Pages beyond the limit are one problem, at the first of them. Raises UnreadableImage if the file as a whole
    is unreadable.
    """
    kind = source_format(path)
    check_source(path, path.name, kind, reading.limits)
    if kind == VIDEO:
        yield from _frames(path, enough)
        return
    with PAGED[kind](path, path.name, reading.limits, reading.incomplete) as pages:
        start, end = part
        for number, place in list(enumerate(pages.places))[start:end]:
            begin(number, place or NO_PLACE)
            try:
                picture = pages.picture(place, enough)
            except UnreadableImage as problem:
                yield named_place(place), problem
                continue
            if pages.is_new(picture):
                yield place, picture
        if pages.total > len(pages.places) and (end is None or end >= len(pages.places)):
            yield _too_many(path.name, pages, reading.limits)


def _frames(path: Path, enough: int | None) -> Iterator[tuple[str, LoadedImage]]:
    """The key frames of a video, each at a time of its own."""
    from retrieval.images.video import key_frames  # its package is optional

    taken = set[str]()
    for seconds, frame in key_frames(path, enough):
        place = time_place(seconds)
        if place not in taken:
            taken.add(place)
            yield place, frame


def _too_many(name: str, pages: Pages, limits: SourceLimits) -> tuple[str, UnreadableImage]:
    first = pages.places[-1].partition("=")[0] or "page"
    more = "more" if pages.total > 10 * len(pages.places) else f"{pages.total:,}"
    sentence = f"{shown(name)} has {more} pages; the first {limits.pages:,} are read (BOXFIND_PAGES)."
    return f"{first}={limits.pages + 1}", UnreadableImage(TOO_MANY, sentence)


def read_picture(path: Path, name: str, place: str, reading: Reading, enough: int | None = None) -> LoadedImage:
    """Decode one picture of a file. Raises UnreadableImage."""
    kind = source_format(path, name)
    if kind in ALWAYS_SEVERAL:
        check_source(path, name, kind, reading.limits)
    if place and place.startswith("t=") != (kind == VIDEO):
        raise no_such_place(name, place)
    if kind == VIDEO:
        from retrieval.images.video import frame_at

        return frame_at(path, seconds_of(place) if place else 0.0)
    if kind in (PDF, ZIP) or place:
        if kind not in PAGED:
            raise no_such_place(name, place)
        with PAGED[kind](path, name, reading.limits, reading.incomplete) as pages:
            return pages.picture(place or pages.places[0], enough)
    most = reading.limits.picture_mb * MEGABYTE
    data = read_file(path, max(most, LIMITS.raw_bytes))
    return decode_picture(data, name, enough, reading.incomplete, most=most)


def load_query(path: Path, reading: Reading) -> LoadedImage:
    """Decode the picture file at a path, or one picture of a file: catalogue.pdf#page=12. Raises UnreadableImage.

    Of a document or film without a place, it is the first page or frame.
    """
    name, place = split_id(path.name)
    file = path.with_name(name)
    if not place or path.exists() or not file.is_file():
        file, place = path, ""
    return read_picture(file, file.name, place, reading)


def embedded_text(path: Path, name: str, place: str, reading: Reading) -> list[WrittenLine]:
    """The text that a page of a document contains as text; empty for scans and for other files."""
    if not place or source_format(path, name) != PDF:
        return []
    with PdfPages(path, name, reading.limits) as pages:
        return pages.text(place)


def count_pages(path: Path, kind: str, reading: Reading) -> int:
    """The number of pages of a document that are read; 0 for other files. Raises UnreadableImage."""
    if kind not in (PDF, ZIP, "TIFF"):
        return 0
    with PAGED[kind](path, path.name, reading.limits, reading.incomplete) as pages:
        return len(pages.places)


def film_seconds(path: Path) -> float:
    """The length of a video; 0 if it does not say. Raises UnreadableImage."""
    from retrieval.images.video import facts

    return facts(path).seconds


def _key_times(path: Path) -> tuple[float, ...]:
    from retrieval.images.video import key_times

    return tuple(key_times(path, MOST_PLACES))


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds, for choosing one of its pictures: places, or a length in seconds."""

    places: tuple[str, ...]
    """The places of its pictures, the first MOST_PLACES at most; one for a single picture; empty for a video."""
    total: int
    """The number of all its pages or frames; 0 for a video."""
    seconds: float = 0.0
    """The length of a video."""
    key_times: tuple[float, ...] = ()
    """Seconds of the frames of a video that are quick to show, the first MOST_PLACES at most."""


def list_contents(path: Path, name: str, reading: Reading) -> Contents:
    """What a file holds. Raises UnreadableImage."""
    kind = source_format(path, name)
    if kind in ALWAYS_SEVERAL:
        check_source(path, name, kind, reading.limits)
    if kind == VIDEO:
        return Contents((), 0, film_seconds(path), _key_times(path))
    if kind not in PAGED:
        return Contents(("",), 1)
    with PAGED[kind](path, name, reading.limits, reading.incomplete) as pages:
        return Contents(tuple(pages.places[:MOST_PLACES]), pages.total)
