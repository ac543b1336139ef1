"""What clients send: models of parameters. Boxes are x, y, width and height in pixels of the upright picture."""

import unicodedata
from datetime import date
from typing import Annotated, Any

from fastapi import UploadFile
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, StringConstraints

from boxfind.collection_table import LONGEST_NAME
from boxfind.searches.filter_link import LONGEST_TEXT, day_from
from boxfind.searches.link import LONGEST_PARAMETER, LONGEST_WORDS, MOST_BOXES
from retrieval.images.limits import LIMITS
from retrieval.request import PictureFilter, Request, Shape
from retrieval.search import RANKINGS

MOST_HITS = 100
MOST_PICTURES = 500
"""Maximum number of gallery pictures in one listing."""
NAMES: list[Any] = sorted(RANKINGS)
CUP = "cups/red.jpg"


def example(**fields: Any) -> ConfigDict:
    """Make a model configuration with an example; unknown fields are rejected."""
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [fields]})


Side = Annotated[int, Field(ge=-LIMITS.longest_side, le=LIMITS.longest_side)]
BoxSides = Annotated[list[Side], Field(min_length=4, max_length=4, examples=[[40, 30, 200, 150]])]
BoxText = Annotated[
    str, Field(max_length=100, examples=["40,30,200,150"], json_schema_extra={"pattern": r"^\d{1,5}(,\d{1,5}){3}$"})
]
Boxes = Annotated[list[BoxText], Field(max_length=MOST_BOXES - 1)]
QueryText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=LONGEST_WORDS)]


def as_id(text: str) -> str:
    """Ids are in Unicode NFC; some clients send names as macOS stores them, in NFD."""
    return unicodedata.normalize("NFC", text)


def as_day(given: object) -> object:
    """Raises ValueError, which the response quotes."""
    return day_from(given) if isinstance(given, str) else given


Folder = Annotated[str, Field(max_length=LONGEST_PARAMETER), AfterValidator(lambda folder: as_id(folder).strip("/"))]
FilterText = Annotated[str, Field(max_length=LONGEST_TEXT)]
Day = Annotated[Annotated[date, Strict()] | None, BeforeValidator(as_day)]
CollectionName = Annotated[str, Field(max_length=LONGEST_NAME, examples=["Holidays"])]
ImageId = Annotated[str, Field(max_length=LONGEST_PARAMETER, examples=[CUP]), AfterValidator(as_id)]


class Filter(BaseModel):
    """Conditions on the pictures to search or list. A picture must meet all of them."""

    folder: Folder = Field("", description="Only pictures below this folder of the gallery.")
    name: FilterText = Field("", description="Only pictures whose path contains these words, in upper or lower case.")
    since: Day = Field(
        None, description="Only pictures taken on this day or later, by the camera's clock.", examples=["2025-03-09"]
    )
    until: Day = Field(None, description="Only pictures taken on this day or earlier.", examples=["2025-03-31"])
    shape: Shape = Field("", description="Only pictures of this shape; square ones have nearly equal sides.")
    pixels: int = Field(0, ge=0, description="Only pictures with at least this width x height.")
    album: FilterText = Field("", description="Only pictures in this album.")

    @property
    def only(self) -> PictureFilter:
        return PictureFilter(self.name, self.since, self.until, self.shape, self.pixels, self.album)


class Listing(Filter):
    """Parameters of a listing."""

    model_config = example(folder="cups", limit=50)
    collection: CollectionName = Field("", description="The name of a collection. Default: the first one.")
    after: ImageId = Field("", description="List the pictures that follow this id.")
    limit: int = Field(100, ge=1, le=MOST_PICTURES)


class Asked(Filter):
    """Parameters of every search."""

    top: int = Field(10, ge=1, le=MOST_HITS, description="Maximum number of pictures.")
    ranking: str = Field(Request().ranking, json_schema_extra={"enum": NAMES})


PLACE_OR_NOTHING = r"^((page|frame)=[1-9]\d{0,5}|t=\d{1,6}\.\d\d)?$"


class Search(Asked):
    """A picture with boxes; to send several boxes in a role, repeat the field."""

    model_config = example(picture="(the file)", box="40,30,200,150", top=10, ranking="best")
    picture: UploadFile = Field(description="A picture, document, archive or film (docs/formats.md).")
    place: str = Field("", pattern=PLACE_OR_NOTHING, description="The page or moment to use: page=12, t=83.20.")
    box: BoxText | None = Field(None, description="The object, as x,y,w,h. Default: the whole picture.")
    view: Boxes = Field([], description="Further views of the same object.")
    also: Boxes = Field([], description="Other objects that results must also contain.")
    unwanted: Boxes = Field([], alias="not", description="Objects that results must not contain.")
    words: QueryText = Field("", description="Text to re-rank the results of the boxes by.")


class StoredSearch(Asked):
    """A gallery picture with a box."""

    model_config = example(image=CUP, box=[40, 30, 200, 150], top=10)
    image: ImageId
    of: CollectionName = Field("", description="The collection of this picture. Default: the one that is searched.")
    box: BoxSides | None = Field(None, description="The object. Default: the whole picture.")
    words: QueryText = Field("", description="Text to re-rank the results of the box by.")


class WordsSearch(Asked):
    """A text query."""

    model_config = example(words="a red cup", top=10)
    words: Annotated[QueryText, Field(min_length=1)]


class NewBuild(BaseModel):
    """Options of a new build."""

    model_config = example(full=False)
    full: bool = Field(False, description="Rebuild from scratch: process every picture and relearn the whitening.")


class NewCollection(BaseModel):
    """A collection to add. A build of it must be started before it can be searched."""

    model_config = example(name="Holidays", folders=["/srv/holidays"], excluded=["*.png"])
    name: CollectionName
    folders: list[Annotated[str, Field(max_length=LONGEST_PARAMETER)]] = Field(
        min_length=1, max_length=100, description="Full paths of folders of the server."
    )
    excluded: list[Annotated[str, Field(max_length=LONGEST_PARAMETER)]] = Field(
        [], max_length=100, description="Gitignore patterns of files and folders to leave out."
    )
