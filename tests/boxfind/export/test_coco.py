"""COCO invariants: ids are unique, references resolve, and boxes are inside their images."""

import json
from dataclasses import replace

import pytest

from boxfind.export.coco import coco_file
from boxfind.export.search_result import SearchResult
from tests.boxfind.export.hostile import HOSTILE


def check(document) -> None:
    for table in ("images", "annotations", "categories"):
        numbers = [row["id"] for row in document[table]]
        assert len(set(numbers)) == len(numbers) and all(type(number) is int for number in numbers)
    images = {image["id"]: image for image in document["images"]}
    assert len({image["file_name"] for image in images.values()}) == len(images)
    categories = {category["id"] for category in document["categories"]}
    for annotation in document["annotations"]:
        image = images[annotation["image_id"]]
        x, y, w, h = annotation["bbox"]
        assert x >= 0 and y >= 0 and w > 0 and h > 0 and x + w <= image["width"] and y + h <= image["height"]
        assert annotation["area"] == w * h and annotation["iscrowd"] == 0
        assert annotation["category_id"] in categories and isinstance(annotation["score"], float)
    assert {annotation["image_id"] for annotation in document["annotations"]} == images.keys()


def test_the_laws(answer: SearchResult):
    document = json.loads(coco_file(answer))
    check(document)
    assert document.keys() == {"info", "licenses", "images", "annotations", "categories"}
    assert [image["file_name"] for image in document["images"]] == [hit.image for hit in answer.hits]
    assert [c["name"] for c in document["categories"]] == ["Red mug", "Red mug 2", "Red mug 3"]
    assert len(document["annotations"]) == 8
    second = [a for a in document["annotations"] if a["image_id"] == 2]
    assert [a["category_id"] for a in second] == [1, 2, 3]
    regions = (answer.hits[1].region, *answer.hits[1].others)
    assert [tuple(a["bbox"]) for a in second] == [region.box.xywh for region in regions]
    assert document["info"]["year"] == 2025 and b"secret-place" not in coco_file(answer)


def test_a_picture_found_twice_is_one_image(answer: SearchResult):
    document = json.loads(coco_file(replace(answer, hits=answer.hits[:1] * 2)))
    check(document)
    assert len(document["images"]) == 1 and len(document["annotations"]) == 2


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text(odd_answer, text):
    document = json.loads(coco_file(odd_answer(text, text)).decode("utf-8"))
    check(document)
    assert all(category["name"].strip() for category in document["categories"])


def test_nothing_found(answer: SearchResult):
    document = json.loads(coco_file(replace(answer, hits=())))
    assert document["images"] == document["annotations"] == [] and len(document["categories"]) == 1
