"""Export hits as a COCO detection file, for labelling and training tools."""

from boxfind.export.search_result import SearchResult
from boxfind.export.table import json_bytes, utc
from retrieval.types import Hit

UNNAMED = "object"


def coco_file(answer: SearchResult) -> bytes:
    """Write one image per hit and one annotation per region; `others` of a hit get categories of their own."""
    numbers = {image: number for number, image in enumerate(dict.fromkeys(hit.image for hit in answer.hits), start=1)}
    entries = {image: answer.gallery.entry(image) for image in numbers}
    annotations = [annotation for hit in answer.hits for annotation in _annotations(numbers[hit.image], hit)]
    name = answer.title.strip() or UNNAMED
    objects = 1 + max((len(hit.others) for hit in answer.hits), default=0)
    categories = [name, *(f"{name} {number}" for number in range(2, objects + 1))]
    document = {
        "info": {
            "description": answer.title,
            "url": answer.link,
            "version": answer.gallery.folder.name,
            "year": answer.made.year,
            "contributor": "Boxfind",
            "date_created": utc(answer.made),
        },
        "licenses": [],
        "images": [
            {"id": number, "file_name": image, "width": entries[image].width, "height": entries[image].height}
            for image, number in numbers.items()
        ],
        "annotations": [{"id": number, **annotation} for number, annotation in enumerate(annotations, start=1)],
        "categories": [
            {"id": number, "name": category, "supercategory": ""} for number, category in enumerate(categories, start=1)
        ],
    }
    return json_bytes(document)


def _annotations(image: int, hit: Hit) -> list[dict[str, object]]:
    return [
        {
            "image_id": image,
            "category_id": category,
            "bbox": region.box.xywh,
            "area": region.box.width * region.box.height,
            "segmentation": [],  # COCO readers require the key
            "iscrowd": 0,
            "score": round(float(hit.score), 6),
            "match": hit.match,
        }
        for category, region in enumerate((hit.region, *hit.others), start=1)
    ]
