"""Read when a picture was taken from its EXIF data."""

import contextlib
from datetime import datetime

from PIL import ExifTags
from PIL import Image as Pillow

from retrieval.images.to_rgb import DECODER_ERRORS

FORMAT = "%Y:%m:%d %H:%M:%S"
EARLIEST = 1826
"""The year of the first photograph. Cameras without a date write other ones."""


def date_taken(picture: Pillow.Image) -> datetime | None:
    """The time on the camera's clock, without a time zone; None if missing or invalid."""
    with contextlib.suppress(*DECODER_ERRORS):  # ignore damaged EXIF
        written = picture.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal)
        taken = datetime.strptime(str(written).strip("\0 "), FORMAT)
        return taken if taken.year >= EARLIEST else None
    return None
