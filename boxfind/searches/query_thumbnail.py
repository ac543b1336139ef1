"""Convert uploaded query images to JPEGs without metadata, for storage with a saved search."""

import hashlib
import io
from collections.abc import Collection, Mapping
from dataclasses import replace

from PIL import Image as Pillow

from retrieval.images.decode import LoadedImage
from retrieval.images.resize import resize_image
from retrieval.request import Example, Request
from retrieval.types import Box, Image

LONGEST_SIDE = 2048
QUALITY = 95


def keepable(image: Image) -> bytes:
    """Encode an image as JPEG without metadata, at most 2048 pixels on its longest side."""
    return jpeg_in_full_size(resize_image(image, *_kept_size(image)))


def jpeg_in_full_size(image: Image) -> bytes:
    """Encode an image as JPEG without metadata or chroma subsampling."""
    out = io.BytesIO()
    Pillow.fromarray(image).save(out, "JPEG", quality=QUALITY, subsampling="4:4:4")
    return out.getvalue()


def kept(
    request: Request, images: Mapping[str, LoadedImage], known: Collection[str]
) -> tuple[Request, dict[str, bytes]]:
    """Point a request at storable images; return it with the JPEGs to store, by SHA-256.

    `known`: hashes of images in the gallery or already stored; examples on these are unchanged. `images`: all other
    query images, by their hashes in the request. Raises KeyError for an image in neither.
    """
    uploaded = sorted({example.picture for example in request.examples if example.picture not in known})
    jpegs = {picture: keepable(images[picture].image) for picture in uploaded}
    hashes = {picture: hashlib.sha256(jpeg).hexdigest() for picture, jpeg in jpegs.items()}
    examples = tuple(
        _moved(example, hashes[example.picture], images[example.picture]) if example.picture in hashes else example
        for example in request.examples
    )
    return replace(request, examples=examples), {hashes[picture]: jpeg for picture, jpeg in jpegs.items()}


def _moved(example: Example, picture: str, original: LoadedImage) -> Example:
    """Scale an example to the stored image; the box is rounded outwards and clipped."""
    (width, height), (new_width, new_height) = original.size, _kept_size(original.image)
    box = example.box
    scaled = Box(
        box.x0 * new_width // width,
        box.y0 * new_height // height,
        -(-box.x1 * new_width // width),
        -(-box.y1 * new_height // height),
    )
    return replace(example, picture=picture, box=scaled.clipped(new_width, new_height))


def _kept_size(image: Image) -> tuple[int, int]:
    """Return width and height of the stored image."""
    height, width = image.shape[:2]
    scale = min(1.0, LONGEST_SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
