"""Pictures that are not results are exported with their facts."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image as Pillow

from boxfind.export.formats import PICTURE_FORMATS
from boxfind.export.picture_list import COLUMNS, PictureList
from index.gallery import Gallery, open_gallery

NAMES = ("=1+1.jpg", "<b>&.jpg", "cup.jpg")


@pytest.fixture
def gallery(tmp_path: Path, build_index, draw) -> Gallery:
    folder = tmp_path / "mine"
    folder.mkdir()
    exif = Pillow.Exif()
    exif[0x010F], exif.get_ifd(0x8769)[0x9003] = "maker", "2019:07:14 21:05:59"
    for number, name in enumerate(NAMES):
        Pillow.fromarray(draw(number, 160, 120)).save(folder / name, exif=exif if name == "cup.jpg" else Pillow.Exif())
    return open_gallery(build_index(folder))


def written(gallery: Gallery, kind: str, images: tuple[str, ...] = NAMES) -> str:
    pictures = PictureList('<i>"Ours"', images, gallery, datetime(2026, 5, 1, tzinfo=UTC))
    return PICTURE_FORMATS[kind].write(pictures).decode("utf-8-sig")


def test_the_table_has_the_facts_and_no_formula(gallery: Gallery) -> None:
    rows = list(csv.DictReader(io.StringIO(written(gallery, "CSV"))))
    assert tuple(rows[0]) == COLUMNS and rows[0]["image"] == "'=1+1.jpg"
    assert [(row["width"], row["height"]) for row in rows] == [("160", "120")] * 3
    assert [row["taken"] for row in rows] == ["", "", "2019-07-14T21:05:59"]
    assert rows[2]["sha256"] == gallery.entry("cup.jpg").sha256


def test_json_has_the_same_facts_in_the_given_order(gallery: Gallery) -> None:
    document = json.loads(written(gallery, "JSON", NAMES[::-1]))
    assert [picture["image"] for picture in document["pictures"]] == list(NAMES[::-1])
    assert document["title"] == '<i>"Ours"' and document["gallery"]["name"] == "mine"
    assert document["made"] == "2026-05-01T00:00:00Z"


def test_the_sheet_shows_every_picture_and_no_score(gallery: Gallery) -> None:
    page = written(gallery, "Contact sheet")
    assert page.count("data:image/jpeg;base64,") == 3 and "3 pictures in the folder" in page
    assert "&lt;b&gt;&amp;.jpg" in page and "<b>" not in page and "<i>" not in page
    assert "badge " not in page.partition("</style>")[2] and "similarity" not in page


@pytest.mark.parametrize("kind", PICTURE_FORMATS)
def test_an_empty_list_can_be_exported(gallery: Gallery, kind: str) -> None:
    assert written(gallery, kind, ())
