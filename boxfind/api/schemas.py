"""Request and response models. Boxes are x, y, width and height in pixels of the upright picture."""

import unicodedata
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import UploadFile
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, StringConstraints

from boxfind.searches.filter_link import LONGEST_TEXT, day_from
from boxfind.searches.link import LONGEST_PARAMETER, LONGEST_WORDS, MOST_BOXES
from retrieval.descriptors.recipe import Recipe
from retrieval.images.limits import LIMITS
from retrieval.request import PictureFilter, Request, Shape
from retrieval.search import RANKINGS
from retrieval.types import Confidence

MOST_HITS = 100
MOST_PICTURES = 500
"""Maximum number of gallery pictures in one listing."""
NAMES: list[Any] = sorted(RANKINGS)
CUP = "cups/red.jpg"


def _example(**fields: Any) -> ConfigDict:
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
ImageId = Annotated[str, Field(max_length=LONGEST_PARAMETER, examples=[CUP]), AfterValidator(as_id)]


class Problem(BaseModel):
    """Why the request failed, and what to do."""

    model_config = _example(detail="The box lies outside the picture, which is 640 x 480 pixels; draw it inside.")
    detail: str


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

    model_config = _example(folder="cups", limit=50)
    after: ImageId = Field("", description="List the pictures that follow this id.")
    limit: int = Field(100, ge=1, le=MOST_PICTURES)


class Asked(Filter):
    """Parameters of every search."""

    top: int = Field(10, ge=1, le=MOST_HITS, description="Maximum number of pictures.")
    ranking: str = Field(Request().ranking, json_schema_extra={"enum": NAMES})


PLACE_OR_NOTHING = r"^((page|frame)=[1-9]\d{0,5}|t=\d{1,6}\.\d\d)?$"


class Search(Asked):
    """A picture with boxes; to send several boxes in a role, repeat the field."""

    model_config = _example(picture="(the file)", box="40,30,200,150", top=10, ranking="best")
    picture: UploadFile = Field(description="A picture, document, archive or film (docs/formats.md).")
    place: str = Field("", pattern=PLACE_OR_NOTHING, description="The page or moment to use: page=12, t=83.20.")
    box: BoxText | None = Field(None, description="The object, as x,y,w,h. Default: the whole picture.")
    view: Boxes = Field([], description="Further views of the same object.")
    also: Boxes = Field([], description="Other objects that results must also contain.")
    unwanted: Boxes = Field([], alias="not", description="Objects that results must not contain.")
    words: QueryText = Field("", description="Text to re-rank the results of the boxes by.")


class StoredSearch(Asked):
    """A gallery picture with a box."""

    model_config = _example(image=CUP, box=[40, 30, 200, 150], top=10)
    image: ImageId
    box: BoxSides | None = Field(None, description="The object. Default: the whole picture.")
    words: QueryText = Field("", description="Text to re-rank the results of the box by.")


class WordsSearch(Asked):
    """A text query."""

    model_config = _example(words="a red cup", top=10)
    words: Annotated[QueryText, Field(min_length=1)]


class Place(BaseModel):
    """A region of a picture and its source; kind `verified` is the verified position of the object itself."""

    model_config = _example(box=[38, 31, 205, 149], kind="verified")
    box: BoxSides
    kind: str


class Line(BaseModel):
    """A line that is written in a picture."""

    model_config = _example(text="Good morning", box=[60, 70, 110, 32])

    text: str
    box: BoxSides


class FoundPicture(BaseModel):
    """A matching picture: the matched region, and in `others` the regions of the other requested objects."""

    model_config = _example(
        **{"rank": 1, "image": CUP, "width": 640, "height": 480, "score": 4.31, "similarity": 0.93},
        **{
            "confidence": "likely",
            "match": 99,
            "parts": {
                "expansion": 0.93,
                "diffusion": 0.9,
                "lead": 0.0,
                "verification": 0.88,
                "appearance": 1.6,
                "text": 1.2,
            },
        },
        **{"box": [38, 31, 205, 149], "kind": "verified", "written": "", "others": []},
        **{"same_text": [{"text": "Good morning", "box": [60, 70, 110, 32]}]},
    )
    rank: int
    image: str
    width: int
    height: int
    score: float
    similarity: float
    confidence: Confidence
    match: int | None = Field(
        description="0 to 100: of 100 hits with this figure, about so many are right. It never rises down the list. "
        "null where words decide."
    )
    parts: dict[str, float] = Field(description="The components of the score.")
    box: BoxSides
    kind: str
    written: str = Field(description="The line of text for which the picture was found; empty if it was not.")
    others: list[Place]
    same_text: list[Line] = Field(description="Lines with words that are also written in the query's box.")


class SearchResponse(BaseModel):
    """The matching pictures, best first."""

    generation: str = Field(description="The generation of the index that was searched.", examples=["gen-000007-3f9c"])
    no_match: bool = Field(description="No confident match; the hits are the nearest look-alikes.")
    hits: list[FoundPicture]


class Picture(BaseModel):
    """A gallery picture at the time it was indexed."""

    model_config = _example(id=CUP, file=CUP, place="", width=640, height=480, bytes=81_234, sha256="9f86d081…")
    id: str
    file: str = Field(description="The id without the place of a page, frame or moment.")
    place: str = Field(description="Where in its file the picture is: page=12, frame=8, t=83.20; may be empty.")
    width: int
    height: int
    bytes: int
    sha256: str


class PictureFacts(Picture):
    """A gallery picture with its indexed regions."""

    model_config = _example(
        **{"id": CUP, "file": CUP, "place": "", "width": 640, "height": 480, "bytes": 81_234, "sha256": "9f86d081…"},
        regions=[{"box": [0, 0, 640, 480], "kind": "whole"}],
    )
    regions: list[Place]


class Pictures(BaseModel):
    """One page of pictures, ordered by id; send `next` as `after` to get the next page."""

    total: int
    images: list[Picture]
    next: str | None = Field(examples=[CUP])


class Added(BaseModel):
    """A picture that was added to the gallery; searches find it after the next build."""

    model_config = _example(id="added/red.jpg")
    id: str


class Removed(BaseModel):
    """A picture that was removed from the gallery, and its new path; searches find it until the next build."""

    model_config = _example(id=CUP, moved_to="removed/20260314T101500Z-5ca1ab1e/cups/red.jpg")
    id: str
    moved_to: str = Field(description="Path relative to the folder BOXFIND_DATA.")


class Build(BaseModel):
    """The running or last build."""

    model_config = _example(
        **{"state": "running", "started": "2026-03-14T10:15:00Z", "stage": "Reading pictures"},
        **{"done": 120, "total": 2000, "seconds_left": 61.5, "message": "", "notice": "", "cancelling": False},
    )
    state: Literal["running", "done", "failed", "cancelled"]
    started: datetime
    stage: str
    done: int
    total: int
    seconds_left: float | None
    message: str = Field(description="The outcome; empty unless requested by an administrator.")
    notice: str = Field(description="Why all pictures are read again, and about how long it takes; or empty.")
    cancelling: bool = Field(False, description="Whether the running build was asked to stop.")


class Served(BaseModel):
    """The generation of the index that is searched."""

    generation: str = Field(examples=["gen-000007-3f9c"])
    created: datetime
    images: int
    regions: int
    skipped: int
    text_read: int = Field(description="Different pictures of which what is written in them has been read.")
    recipe: Recipe
    note: str


class IndexState(BaseModel):
    """The served index, null if there is none, and the running or last build, null if there has been none."""

    served: Served | None
    problem: str = Field(description="Why the index cannot be searched; empty if it can.", examples=[""])
    warning: str = Field(description="A warning about the index for users; empty if there is none.", examples=[""])
    update: str = Field(
        description="Why the next update reads all pictures again, and about how long it takes; empty if it reads new "
        "and changed ones only.",
        examples=["All 2,000 pictures are read again, about 6 min: keypoints changed from 0 to 500."],
    )
    build: Build | None


class NewBuild(BaseModel):
    """Options of a new build."""

    model_config = _example(full=False)
    full: bool = Field(False, description="Rebuild from scratch: process every picture and relearn the whitening.")


class HealthStatus(BaseModel):
    """The check passed."""

    model_config = _example(status="ok")
    status: Literal["ok"] = "ok"


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Make the `responses` of a route for some error statuses."""
    return {status: {"model": Problem} for status in statuses}
