"""Routes for gallery pictures: list, describe, download, add and remove."""

from bisect import bisect_right
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response, UploadFile

from boxfind.api.authorization import Admin
from boxfind.api.dependencies import SearchSlot, Serving
from boxfind.api.schemas import (
    CUP,
    MOST_PICTURES,
    Added,
    Folder,
    ImageId,
    Picture,
    PictureFacts,
    Pictures,
    Removed,
    answers,
)
from boxfind.api.search import place
from boxfind.export.search_result import read_original
from boxfind.logs import log
from index.operations.add_images import ImageAdder
from index.operations.remove_images import remove_from_gallery
from index.storage.tables import ImageEntry
from retrieval.images.limits import LIMITS
from retrieval.images.resize import thumbnail

routes = APIRouter(prefix="/images", tags=["gallery"])
ImagePath = Annotated[
    str, Path(alias="id", description="Path of the picture, relative to the gallery folder.", examples=[CUP])
]

JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
    **answers(404),
}


@routes.get("", responses=answers(404))
def images(
    serving: Serving,
    folder: Annotated[Folder, Query(description="List only pictures below this folder.")] = "",
    after: Annotated[ImageId, Query(description="List the pictures that follow this id.")] = "",
    limit: Annotated[int, Query(ge=1, le=MOST_PICTURES)] = 100,
) -> Pictures:
    """List gallery pictures, ordered by id."""
    gallery = serving.gallery().below(folder)
    ids = gallery.tables.ids
    start = max(bisect_right(ids, after), gallery.images.start)
    numbers = range(start, min(start + limit, gallery.images.stop))
    more = bool(numbers) and numbers.stop < gallery.images.stop
    return Pictures(
        total=gallery.image_count,
        images=[_picture(gallery.tables.entry(number)) for number in numbers],
        next=ids[numbers[-1]] if more else None,
    )


@routes.get("/{id:path}/thumbnail", response_class=Response, responses=JPEG)
def image_thumbnail(image: ImagePath, serving: Serving) -> Response:
    """Return the picture as a JPEG of at most 320 pixels on its longest side."""
    return _jpeg(serving.gallery().thumbnail(image))


@routes.get("/{id:path}/original", response_class=Response, dependencies=[SearchSlot], responses=JPEG)
def image_original(image: ImagePath, serving: Serving) -> Response:
    """Return the picture in full size as a JPEG, without metadata such as camera, place and time."""
    pixels = serving.engine.read_picture(read_original(serving.gallery(), image), image)
    return _jpeg(thumbnail(pixels, side=LIMITS.longest_side, quality=95))


@routes.get("/{id:path}", responses=answers(404))
def image(image: ImagePath, serving: Serving) -> PictureFacts:
    """Return the size, hash and indexed regions of a picture."""
    gallery = serving.gallery()
    facts = _picture(gallery.entry(image))
    return PictureFacts(**facts.model_dump(), regions=[place(region) for region in gallery.regions(image)])


@routes.post("", status_code=201, dependencies=[Admin, SearchSlot], responses=answers(401, 403, 409, 507))
def add_image(picture: UploadFile, serving: Serving) -> Added:
    """Save a picture, unchanged, in the folder `added` of the gallery. Existing files are never overwritten."""
    engine = serving.engine
    adder = ImageAdder(engine.settings.gallery_dir, serving.gallery(), engine.read_picture)
    added = Added(id=adder.take(picture.filename or "", picture.file.read()))
    log.info("Picture added through the API.")
    return added


@routes.delete("/{id:path}", dependencies=[Admin], responses=answers(401, 403, 404, 507))
def remove_image(image: ImagePath, serving: Serving) -> Removed:
    """Move a picture from the gallery to the folder of removed pictures. Searches find it until the next build."""
    settings = serving.engine.settings
    aside = remove_from_gallery(image, settings.gallery_dir, serving.gallery(), settings.removed_dir)
    log.info("Picture removed through the API.")
    return Removed(id=image, moved_to=str(aside.relative_to(settings.data)))


def _jpeg(data: bytes) -> Response:
    """Wrap JPEG bytes; `nosniff` keeps browsers from interpreting them as anything else."""
    return Response(data, media_type="image/jpeg", headers={"X-Content-Type-Options": "nosniff"})


def _picture(entry: ImageEntry) -> Picture:
    return Picture(id=entry.image, width=entry.width, height=entry.height, bytes=entry.bytes, sha256=entry.sha256)
