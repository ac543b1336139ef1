"""The export formats by name."""

from collections.abc import Callable
from dataclasses import dataclass

from boxfind.export.coco import coco_file
from boxfind.export.contact_sheet import contact_sheet
from boxfind.export.crops import crops_zip
from boxfind.export.file_names import file_name
from boxfind.export.search_result import SearchResult
from boxfind.export.table import csv_table, json_document

__all__ = ["FORMATS", "Format", "file_name"]


@dataclass(frozen=True, slots=True)
class Format:
    """An export format. `write` raises IndexProblem when a hit is not in the gallery."""

    suffix: str
    mime: str
    write: Callable[[SearchResult], bytes]
    help: str


FORMATS = {
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
