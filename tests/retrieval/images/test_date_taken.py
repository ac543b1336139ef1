"""The date taken is read from EXIF; what is missing or damaged is unknown."""

import io
from datetime import datetime

import pytest
from PIL import ExifTags
from PIL import Image as Pillow

from retrieval.images.decode import decode_picture


def picture(written: object, kind: str = "JPEG") -> bytes:
    exif, file = Pillow.Exif(), io.BytesIO()
    exif[ExifTags.Base.Make] = "maker"  # Pillow leaves out EXIF data without any such field
    if written is not None:
        fields = exif.get_ifd(ExifTags.IFD.Exif)
        fields[ExifTags.Base.DateTimeOriginal] = written
        if kind == "TIFF":  # Pillow writes the fields of a TIFF from here
            exif[ExifTags.IFD.Exif] = fields
    Pillow.new("RGB", (64, 48), "teal").save(file, kind, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_date_of_the_camera_is_read(kind: str) -> None:
    taken = decode_picture(picture("2019:07:14 21:05:59", kind)).taken
    assert taken == datetime(2019, 7, 14, 21, 5, 59)


@pytest.mark.parametrize(
    "written",
    [None, "", "yesterday", "0000:00:00 00:00:00", "    :  :     :  :  ", "0001:01:01 00:00:00", "2019:02:30 00:00:00"],
)
def test_what_is_no_date_is_unknown(written: object) -> None:
    assert decode_picture(picture(written)).taken is None
