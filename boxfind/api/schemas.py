"""What other programs send and get; boxes are x, y, width and height in pixels of the upright picture."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import UploadFile
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from boxfind.searches.link import LONGEST_PARAMETER, LONGEST_WORDS, MOST_BOXES
from retrieval.descriptors.recipe import Recipe
from retrieval.images.limits import LIMITS
from retrieval.request import Request
from retrieval.search import RANKINGS
from retrieval.types import Confidence

MOST_HITS = 100
MOST_PICTURES = 500
"""Pictures of a gallery that are listed at once."""
NAMES: list[Any] = sorted(RANKINGS)
CUP = "cups/red.jpg"


def _example(**fields: Any) -> ConfigDict:
    """Of one thing that may be sent or got; nothing else is taken."""
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [fields]})


Side = Annotated[int, Field(ge=-LIMITS.longest_side, le=LIMITS.longest_side)]
BoxSides = Annotated[list[Side], Field(min_length=4, max_length=4, examples=[[40, 30, 200, 150]])]
BoxText = Annotated[
    str, Field(max_length=100, examples=["40,30,200,150"], json_schema_extra={"pattern": r"^\d{1,5}(,\d{1,5}){3}$"})
]
Boxes = Annotated[list[BoxText], Field(max_length=MOST_BOXES - 1)]
TextScorer = Annotated[str, StringConstraints(strip_whitespace=True, max_length=LONGEST_WORDS)]
Folder = Annotated[str, Field(max_length=LONGEST_PARAMETER), AfterValidator(lambda folder: folder.strip("/"))]
ImageId = Annotated[str, Field(max_length=LONGEST_PARAMETER, examples=[CUP])]


class Problem(BaseModel):
    """Why a request could not be answered, and what to do now."""

    model_config = _example(detail="The box lies outside the picture, which is 640 x 480 pixels; draw it inside.")
    detail: str


class Asked(BaseModel):
    """What every search may say."""

    top: int = Field(10, ge=1, le=MOST_HITS, description="How many pictures to name at most.")
    ranking: str = Field(Request().ranking, json_schema_extra={"enum": NAMES})
    folder: Folder = Field("", description="Only pictures below this folder of the gallery count.")


class Search(Asked):
    """A picture, and boxes on it; several boxes in one field are several fields of that name."""

    model_config = _example(picture="(the file)", box="40,30,200,150", top=10, ranking="best")
    picture: UploadFile = Field(description="JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.")
    box: BoxText | None = Field(None, description="The object, as x,y,w,h; without one it is the whole picture.")
    view: Boxes = Field([], description="The same object once more.")
    also: Boxes = Field([], description="Another object that must be there, too.")
    unwanted: Boxes = Field([], alias="not", description="An object that must not be there.")
    words: TextScorer = Field("", description="What chooses among the pictures that the boxes find.")


class StoredSearch(Asked):
    """A picture of the gallery, and a box on it."""

    model_config = _example(image=CUP, box=[40, 30, 200, 150], top=10)
    image: ImageId
    box: BoxSides | None = Field(None, description="The object; without one it is the whole picture.")
    words: TextScorer = Field("", description="What chooses among the pictures that the box finds.")


class WordsSearch(Asked):
    """A sentence."""

    model_config = _example(words="a red cup", top=10)
    words: Annotated[TextScorer, Field(min_length=1)]


class Place(BaseModel):
    """Where in a picture, and which way of finding regions found it; `verified` is where the object itself lies."""

    model_config = _example(box=[38, 31, 205, 149], kind="verified")
    box: BoxSides
    kind: str


class FoundPicture(BaseModel):
    """A picture that answers a search, the place of it that does, and those of further objects that were asked for."""

    model_config = _example(
        **{"rank": 1, "image": CUP, "width": 640, "height": 480, "score": 2.71, "similarity": 0.93},
        **{"confidence": "likely", "parts": {"expansion": 0.93, "diffusion": 0.9, "verification": 0.88}},
        **{"box": [38, 31, 205, 149], "kind": "verified", "others": []},
    )
    rank: int
    image: str
    width: int
    height: int
    score: float
    similarity: float
    confidence: Confidence
    parts: dict[str, float] = Field(description="What the score was added up from.")
    box: BoxSides
    kind: str
    others: list[Place]


class SearchResponse(BaseModel):
    """The pictures that answer a search, best first."""

    generation: str = Field(description="The build of the index that was searched.", examples=["gen-000007-3f9c"])
    no_match: bool = Field(description="Nothing rises above chance: these are the nearest look-alikes.")
    hits: list[FoundPicture]


class Picture(BaseModel):
    """A picture of the gallery as it was when it was indexed."""

    model_config = _example(id=CUP, width=640, height=480, bytes=81_234, sha256="9f86d081…")
    id: str
    width: int
    height: int
    bytes: int
    sha256: str


class PictureFacts(Picture):
    """The same, and the places of it that are searched."""

    model_config = _example(
        **{"id": CUP, "width": 640, "height": 480, "bytes": 81_234, "sha256": "9f86d081…"},
        regions=[{"box": [0, 0, 640, 480], "kind": "whole"}],
    )
    regions: list[Place]


class Pictures(BaseModel):
    """Some pictures in the order of their ids; `next` is what to send as `after` to get those that follow."""

    total: int
    images: list[Picture]
    next: str | None = Field(examples=[CUP])


class Added(BaseModel):
    """A picture that was put into the gallery; searches find it after the next build."""

    model_config = _example(id="added/red.jpg")
    id: str


class Removed(BaseModel):
    """A picture that was taken out of the gallery, and where it lies now; searches find it until the next build."""

    model_config = _example(id=CUP, moved_to="removed/20260314T101500Z-5ca1ab1e/cups/red.jpg")
    id: str
    moved_to: str = Field(description="Below the folder that BOXFIND_DATA names.")


class Build(BaseModel):
    """A build that runs, or the last that ran."""

    model_config = _example(
        **{"state": "running", "started": "2026-03-14T10:15:00Z", "stage": "Reading pictures"},
        **{"done": 120, "total": 2000, "seconds_left": 61.5, "message": ""},
    )
    state: Literal["running", "done", "failed", "cancelled"]
    started: datetime
    stage: str
    done: int
    total: int
    seconds_left: float | None
    message: str = Field(description="How it ended, for administrators.")


class Served(BaseModel):
    """The build of the index that is searched."""

    generation: str = Field(examples=["gen-000007-3f9c"])
    created: datetime
    images: int
    regions: int
    skipped: int
    recipe: Recipe
    note: str


class IndexState(BaseModel):
    """What is searched, null when nothing can be, and the state of builds, null when there never was one."""

    served: Served | None
    problem: str = Field(description="Why nothing can be searched.", examples=[""])
    warning: str = Field(description="What users should know of the index.", examples=[""])
    build: Build | None


class NewBuild(BaseModel):
    """Which build to start."""

    model_config = _example(full=False)
    full: bool = Field(False, description="Looks at every picture again, and learns everything anew.")


class HealthStatus(BaseModel):
    """All is well."""

    model_config = _example(status="ok")
    status: Literal["ok"] = "ok"


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For FastAPI: the problems that an address may answer with."""
    return {status: {"model": Problem} for status in statuses}
