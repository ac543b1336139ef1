"""The export formats by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from boxfind.export.coco import coco_file
from boxfind.export.contact_sheet import contact_sheet, picture_sheet
from boxfind.export.crops import crops_zip
from boxfind.export.file_names import file_name
from boxfind.export.picture_list import PictureList, pictures_csv, pictures_json
from boxfind.export.search_result import SearchResult
from boxfind.export.several_collections import SeveralCollectionsResult, collections_csv, collections_json
from boxfind.export.table import csv_table, json_document

__all__ = ["COLLECTIONS_FORMATS", "FORMATS", "PICTURE_FORMATS", "Exported", "Format", "file_name"]


Exported = TypeVar("Exported")


@dataclass(frozen=True, slots=True)
class Format(Generic[Exported]):
    """An export format. `write` raises IndexProblem when a picture is not in the gallery."""

    suffix: str
    mime: str
    write: Callable[[Exported], bytes]
    help: str


FORMATS: dict[str, Format[SearchResult]] = {
    "CSV": Format(".csv", "text/csv", csv_table, "A table with one row per hit, for spreadsheets."),
    "JSON": Format(".json", "application/json", json_document, "All details of every hit, for programs."),
    "COCO": Format(
        ".coco.json", "application/json", coco_file, "Boxes as annotations, for labelling and training tools."
    ),
    "Crops": Format(".zip", "application/zip", crops_zip, "The matched regions, cropped from the original pictures."),
    "Contact sheet": Format(
        ".html",
        "text/html",
        contact_sheet,
        "One page with all pictures, to send, print or archive; opens in any browser.",
    ),
}

PICTURE_FORMATS: dict[str, Format[PictureList]] = {
    "CSV": Format(".csv", "text/csv", pictures_csv, "A table with one row per picture, for spreadsheets."),
    "JSON": Format(".json", "application/json", pictures_json, "The same facts, for programs."),
    "Contact sheet": Format(".html", "text/html", picture_sheet, FORMATS["Contact sheet"].help),
}
"""The formats for pictures that are not results of a search."""

COLLECTIONS_FORMATS: dict[str, Format[SeveralCollectionsResult]] = {
    "CSV": Format(".csv", "text/csv", collections_csv, FORMATS["CSV"].help),
    "JSON": Format(".json", "application/json", collections_json, FORMATS["JSON"].help),
}
"""The formats for results of several collections. The others hold pictures, whose names belong to one collection."""
