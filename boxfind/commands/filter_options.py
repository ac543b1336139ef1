"""Options that limit a search to some pictures of the gallery."""

import unicodedata
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from boxfind.engine import Engine
    from retrieval.request import PictureFilter


def _printable(text: str) -> str:
    if not text.isprintable():
        raise typer.BadParameter("it has unprintable characters.")
    return text


def _as_id(folder: str) -> str:
    return unicodedata.normalize("NFC", folder).strip("/")


def _day(text: str) -> date | None:
    from boxfind.searches.filter_link import day_from

    try:
        return day_from(text)
    except ValueError as problem:
        raise typer.BadParameter(f"{problem}.") from None


def _option(help_text: str, **more: Any) -> Any:
    return typer.Option(help=f"Only pictures {help_text}.", rich_help_panel="Only some pictures", **more)


ShapeName = Literal["landscape", "portrait", "square"]
Folder = Annotated[str, _option("below this folder of the gallery", callback=_as_id)]
Name = Annotated[str, _option("whose path contains these words, in upper or lower case", callback=_printable)]
Since = Annotated[date | None, _option("taken on this day or later", parser=_day, metavar="YYYY-MM-DD")]
Until = Annotated[date | None, _option("taken on this day or earlier", parser=_day, metavar="YYYY-MM-DD")]
Shape = Annotated[ShapeName | None, _option("of this shape; square ones have nearly equal sides")]
Pixels = Annotated[int, _option("with at least this width x height", min=0)]
Album = Annotated[str, _option("in this album", callback=_printable)]


def picture_filter(
    engine: "Engine",
    name: str,
    since: date | None,
    until: date | None,
    shape: ShapeName | None,
    pixels: int,
    album: str,
) -> "PictureFilter":
    """Return the filter of these options. Raises UnknownAlbum, SavedSearchesProblem."""
    from retrieval.request import PictureFilter

    engine.check_album(album)
    return PictureFilter(name, since, until, shape or "", pixels, album)
