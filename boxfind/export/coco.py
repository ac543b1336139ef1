"""Export hits as a COCO detection file, for labelling and training tools."""

from boxfind.export.search_result import SearchResult
from boxfind.export.table import json_bytes, utc
from retrieval.types import Box, Hit

UNNAMED = "object"


def coco_file(answer: SearchResult) -> bytes:
    """Write one image per hit and one annotation per region; `others` of a hit get categories of their own."""
    numbers = {image: number for number, image in enumerate(dict.fromkeys(hit.image for hit in answer.hits), start=1)}
    places = [place for hit in answer.hits for place in _places(numbers[hit.image], hit)]
    document = {
        "info": _info(answer),
        "licenses": [],
        "images": [_image(answer, number, image) for image, number in numbers.items()],
        "annotations": [{"id": number, **place} for number, place in enumerate(places, start=1)],
        "categories": _categories(answer),
    }
    return json_bytes(document)


def _info(answer: SearchResult) -> dict[str, object]:
    return {
        "description": answer.title,
        "url": answer.link,
        "version": answer.gallery.folder.name,
        "year": answer.made.year,
        "contributor": "Boxfind",
        "date_created": utc(answer),
    }


def _image(answer: SearchResult, number: int, image: str) -> dict[str, object]:
    entry = answer.gallery.entry(image)
    return {"id": number, "file_name": image, "width": entry.width, "height": entry.height}


def _places(image: int, hit: Hit) -> list[dict[str, object]]:
    boxes: list[Box] = [hit.region.box, *(other.box for other in hit.others)]
    return [
        {
            "image_id": image,
            "category_id": category,
            "bbox": box.xywh,
            "area": box.width * box.height,
            "segmentation": [],  # COCO readers require the key
            "iscrowd": 0,
            "score": round(float(hit.score), 6),
        }
        for category, box in enumerate(boxes, start=1)
    ]


def _categories(answer: SearchResult) -> list[dict[str, object]]:
    name = answer.title.strip() or UNNAMED
    count = 1 + max((len(hit.others) for hit in answer.hits), default=0)
    names = [name, *(f"{name} {number}" for number in range(2, count + 1))]
    return [{"id": number, "name": named, "supercategory": ""} for number, named in enumerate(names, start=1)]
