"""Routes for gallery pictures: list, describe, download, add and remove."""

from bisect import bisect_right
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response, UploadFile
from fastapi.responses import FileResponse
from pydantic import AfterValidator
from starlette.convertors import PathConvertor, register_url_convertor

from boxfind.api.authorization import Admin
from boxfind.api.dependencies import Client, Serving
from boxfind.api.requests import CUP, Listing, as_id
from boxfind.api.responses import Added, Picture, PictureFacts, Pictures, Removed, answers
from boxfind.api.search import line, place
from boxfind.export.originals import full_size_jpeg
from boxfind.export.source_file import SAFE_HEADERS, shown_file
from boxfind.logs import log
from index.operations.add_images import ImageAdder
from index.operations.remove_images import remove_from_gallery
from index.storage.tables import ImageEntry

routes = APIRouter(prefix="/images", tags=["gallery"])


class _Id(PathConvertor):
    """A path that may contain line breaks."""

    regex = "(?s:.*)"


register_url_convertor("image", _Id())
ImagePath = Annotated[
    str,
    Path(alias="id", description="Path of the picture, relative to the gallery folder.", examples=[CUP]),
    AfterValidator(as_id),
]

JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
    **answers(404),
}
BINARY = {"schema": {"type": "string", "format": "binary"}}
FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": dict.fromkeys(("video/*", "application/pdf"), BINARY)},
    **answers(404),
}


@routes.get("", responses=answers(404))
def images(asked: Annotated[Listing, Query()], serving: Serving) -> Pictures:
    """List gallery pictures, ordered by id."""
    gallery, engine = serving.gallery(), serving.engine
    engine.check_album(asked.album)
    numbers = engine.filtered(gallery, asked.only).below(asked.folder).image_numbers
    ids = gallery.tables.ids
    rest = numbers[numbers >= bisect_right(ids, asked.after)]
    listed = rest[: asked.limit].tolist()
    return Pictures(
        total=len(numbers),
        images=[_picture(gallery.tables.entry(number)) for number in listed],
        next=ids[listed[-1]] if len(rest) > len(listed) else None,
    )


@routes.get("/{id:image}/thumbnail", response_class=Response, responses=JPEG)
def image_thumbnail(image: ImagePath, serving: Serving) -> Response:
    """Return the picture as a JPEG of at most 320 pixels on its longest side."""
    return _jpeg(serving.gallery().thumbnail(image))


@routes.get("/{id:image}/original", response_class=Response, responses=JPEG)
def image_original(image: ImagePath, serving: Serving, client: Client) -> Response:
    """Return the picture in full size as a JPEG, without metadata such as camera, place and time."""
    return _jpeg(full_size_jpeg(serving.gallery(), image, serving.engine.visitor_pictures.read, client))


@routes.get("/{id:image}/file", response_class=FileResponse, responses=FILE)
def image_file(image: ImagePath, serving: Serving) -> FileResponse:
    """Return the film or PDF file that holds the picture, or the part of it that the header Range asks for."""
    path, kind = shown_file(serving.gallery(), image)
    return FileResponse(path, media_type=kind, headers=SAFE_HEADERS, content_disposition_type="inline")


@routes.get("/{id:image}", responses=answers(404))
def image(image: ImagePath, serving: Serving) -> PictureFacts:
    """Return the size, hash and indexed regions of a picture, and what is written in it."""
    gallery = serving.gallery()
    facts = _picture(gallery.entry(image))
    number = gallery.number(image)
    return PictureFacts(
        **facts.model_dump(),
        regions=[place(region) for region in gallery.regions(image)],
        text_read=gallery.written_text.has_read(gallery.contents.of_image(number)),
        written=[line(written) for written in gallery.written(number)],
    )


@routes.post("", status_code=201, dependencies=[Admin], responses=answers(401, 403, 409, 507))
def add_image(picture: UploadFile, serving: Serving, client: Client) -> Added:
    """Save a picture, unchanged, in the folder `added` of the gallery. Existing files are never overwritten."""
    engine, settings = serving.engine, serving.engine.settings
    read = partial(engine.visitor_pictures.read, client=client)
    adder = ImageAdder(settings.gallery_dir, serving.gallery(), read, settings.gallery_rules)
    added = Added(id=adder.take(picture.filename or "", picture.file.read()))
    log.info("Picture added through the API.")
    return added


@routes.delete("/{id:image}", dependencies=[Admin], responses=answers(401, 403, 404, 507))
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
    return Picture(
        id=entry.image,
        file=entry.source,
        place=entry.place,
        width=entry.width,
        height=entry.height,
        bytes=entry.bytes,
        sha256=entry.sha256,
    )
