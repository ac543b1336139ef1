"""Export the matched regions as a ZIP of JPEG crops with a table of hits."""

import io
from datetime import UTC
from math import ceil
from pathlib import PurePosixPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from boxfind.export.file_names import file_name
from boxfind.export.originals import original_name
from boxfind.export.search_result import SearchResult, load_preview
from boxfind.export.table import csv_table
from index.gallery import Gallery
from index.operations.read_original import read_original
from retrieval.errors import PictureGone, UnreadableImage
from retrieval.images.decode import decode_picture
from retrieval.images.resize import crop_image, thumbnail
from retrieval.types import Hit

LONGEST = 2048
"""Maximum length of a crop's longer side, in pixels."""
QUALITY = 90


def crops_zip(answer: SearchResult) -> bytes:
    """Return a ZIP: a JPEG crop per hit without metadata, hits.csv, and notes.txt if any original could not be used.

    An original is only used if it is unchanged since it was indexed; otherwise the preview in the index is cropped.
    Originals are decoded one at a time.
    """
    out, notes = io.BytesIO(), []
    digits = max(2, len(str(len(answer.hits))))
    with ZipFile(out, "w") as archive:

        def add(name: str, data: bytes, packing: int) -> None:
            archive.writestr(ZipInfo(name, answer.made.astimezone(UTC).timetuple()[:6]), data, packing)

        for rank, hit in enumerate(answer.hits, start=1):
            name = file_name(f"{rank:0{digits}d}-{PurePosixPath(original_name(hit.image)).stem}", ".jpg")
            crop, note = _crop(answer.gallery, hit)
            notes += [f"{name}: {note}\r\n"] if note else []
            if crop:
                add(name, crop, ZIP_STORED)
        add("hits.csv", csv_table(answer), ZIP_DEFLATED)
        if notes:
            add("notes.txt", "".join(notes).encode("utf-8-sig"), ZIP_DEFLATED)
    return out.getvalue()


def _crop(gallery: Gallery, hit: Hit) -> tuple[bytes, str]:
    """Return the crop as JPEG and a note.

    The note is empty for a crop of the original. The crop is empty when neither original nor preview can be read.
    """
    entry, box = gallery.entry(hit.image), hit.region.box
    try:
        data = read_original(gallery, hit.image)
        # A larger crop would be downscaled anyway, so the decoder may stop at this size.
        enough = ceil(LONGEST * max(entry.width, entry.height) / max(box.width, box.height))
        original = decode_picture(data, hit.image, enough, incomplete=True, most=len(data))  # the build has accepted it
        return thumbnail(original.crop(box), LONGEST, QUALITY), ""
    except (PictureGone, UnreadableImage) as error:
        why = str(error)
    preview = load_preview(gallery, hit.image)
    if preview is None:
        return b"", f"left out, because its preview in the index cannot be read either. {why}"
    crop = thumbnail(crop_image(np.asarray(preview), box, (entry.width, entry.height)), LONGEST, QUALITY)
    return crop, f"cropped from the small preview in the index, so it has little detail. {why}"
