"""The ways to take an answer away."""

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
    """A kind of file. `write` raises IndexProblem when the gallery does not know a hit."""

    suffix: str
    mime: str
    write: Callable[[SearchResult], bytes]
    help: str


FORMATS = {
    "CSV": Format(".csv", "text/csv", csv_table, "A table with a row for each hit, for spreadsheets."),
    "JSON": Format(".json", "application/json", json_document, "All there is to say about every hit, for programs."),
    "COCO": Format(".coco.json", "application/json", coco_file, "Boxes as labels, for labelling and training tools."),
    "Crops": Format(".zip", "application/zip", crops_zip, "What matched, cut out of the original pictures."),
    "Contact sheet": Format(
        ".html", "text/html", contact_sheet, "One page with all pictures, to send, print or keep; opens anywhere."
    ),
}
