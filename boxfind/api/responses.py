"""What clients receive: models of answers. Boxes are x, y, width and height in pixels of the upright picture."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from boxfind.api.requests import CUP, BoxSides, example
from retrieval.descriptors.recipe import Recipe
from retrieval.types import Confidence


class Problem(BaseModel):
    """Why the request failed, and what to do."""

    model_config = example(detail="The box lies outside the picture, which is 640 x 480 pixels; draw it inside.")
    detail: str


class Place(BaseModel):
    """A region of a picture and its source; kind `verified` is the verified position of the object itself."""

    model_config = example(box=[38, 31, 205, 149], kind="verified")
    box: BoxSides
    kind: str


class Line(BaseModel):
    """A line that is written in a picture."""

    model_config = example(text="Good morning", box=[60, 70, 110, 32])

    text: str
    box: BoxSides


class FoundPicture(BaseModel):
    """A matching picture: the matched region, and in `others` the regions of the other requested objects."""

    model_config = example(
        **{
            "rank": 1,
            "collection": "default",
            "image": CUP,
            "width": 640,
            "height": 480,
            "score": 4.31,
            "similarity": 0.93,
        },
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
    collection: str = Field(description="The collection that holds the picture.")
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

    generation: str = Field(
        description="The generation of the index that was searched; empty if all collections were.",
        examples=["gen-000007-3f9c"],
    )
    remarks: list[str] = Field([], description="What to know of a search in all collections; usually nothing.")
    no_match: bool = Field(description="No confident match; the hits are the nearest look-alikes.")
    hits: list[FoundPicture]


class Picture(BaseModel):
    """A gallery picture at the time it was indexed."""

    model_config = example(id=CUP, file=CUP, place="", width=640, height=480, bytes=81_234, sha256="9f86d081…")
    id: str
    file: str = Field(description="The id without the place of a page, frame or moment.")
    place: str = Field(description="Where in its file the picture is: page=12, frame=8, t=83.20; may be empty.")
    width: int
    height: int
    bytes: int
    sha256: str


class PictureFacts(Picture):
    """A gallery picture with its indexed regions and the lines that are written in it."""

    model_config = example(
        **{"id": CUP, "file": CUP, "place": "", "width": 640, "height": 480, "bytes": 81_234, "sha256": "9f86d081…"},
        regions=[{"box": [0, 0, 640, 480], "kind": "whole"}],
        **{"text_read": True, "written": [{"text": "Good morning", "box": [60, 70, 110, 32]}]},
    )
    regions: list[Place]
    text_read: bool = Field(description="Whether the picture has been read for what is written in it.")
    written: list[Line]


class Pictures(BaseModel):
    """One page of pictures, ordered by id; send `next` as `after` to get the next page."""

    total: int
    images: list[Picture]
    next: str | None = Field(examples=[CUP])


class Added(BaseModel):
    """A picture that was added to the gallery; searches find it after the next build."""

    model_config = example(id="added/red.jpg")
    id: str


class Removed(BaseModel):
    """A picture that was removed from the gallery, and its new path; searches find it until the next build."""

    model_config = example(id=CUP, moved_to="removed/20260314T101500Z-5ca1ab1e/cups/red.jpg")
    id: str
    moved_to: str = Field(description="Path relative to the folder BOXFIND_DATA.")


class Build(BaseModel):
    """The running or last build."""

    model_config = example(
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


class PartSearched(BaseModel):
    """What an index that is not complete can find: it was published while its build goes on, or before it stopped."""

    searched: int = Field(description="Pictures that are searched.", examples=[12400])
    found: int = Field(description="Pictures that the finished index is expected to have.", examples=[98310])


class Served(BaseModel):
    """The generation of the index that is searched."""

    generation: str = Field(examples=["gen-000007-3f9c"])
    created: datetime
    images: int
    regions: int
    skipped: int
    text_read: int = Field(description="Different pictures of which what is written in them has been read.")
    wave: PartSearched | None = Field(None, description="Null if the index is complete.")
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


class TextReading(BaseModel):
    """How many different pictures of the index have been read for what is written in them, after a build."""

    model_config = example(running=True, read=310, total=2000)
    running: bool = Field(description="Whether pictures are being read now.")
    read: int
    total: int


class Collection(BaseModel):
    """A collection: folders of pictures with an index of their own. The first one of a list is the default."""

    model_config = example(name="Holidays", pictures=1204, folders=["/srv/holidays"], excluded=["*.png"])
    name: str
    pictures: int | None = Field(description="How many pictures are indexed; null while there is no index.")
    folders: list[str] = Field(description="Folders of the server; empty unless requested by an administrator.")
    excluded: list[str] = Field(description="Gitignore patterns of what is left out; as above.")


class HealthStatus(BaseModel):
    """The check passed."""

    model_config = example(status="ok")
    status: Literal["ok"] = "ok"


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Make the `responses` of a route for some error statuses."""
    return {status: {"model": Problem} for status in statuses}
