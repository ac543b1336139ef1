"""Which kinds of labelled data sets can be read, and how to tell what a folder holds."""

from collections.abc import Callable
from pathlib import Path

from boxfind.evaluation.dataset import Dataset, read_csv_folder
from boxfind.evaluation.object_folders import read_object_folders
from boxfind.evaluation.revisited_oxford_paris import read_revisited
from retrieval.errors import BadTable, pick

READERS: dict[str, Callable[[Path], Dataset]] = {
    "csv": read_csv_folder,
    "revisited": read_revisited,
    "folders": read_object_folders,
}


def read_dataset(folder: Path, layout: str | None = None) -> Dataset:
    """The data set in a folder; what kind it is, is found out where `layout` does not say it.

    Raises BadTable, UnknownName.
    """
    if not folder.is_dir():
        raise BadTable(f"There is no data set folder {folder}.")
    return pick(READERS, "data set format", layout or layout_of(folder))(folder)


def layout_of(folder: Path) -> str:
    """A name in READERS, by what lies in the folder. Raises BadTable where nothing there is a data set."""
    if any((folder / name).exists() for name in ("queries.csv", "relevant.csv", "queries", "gallery")):
        return "csv"
    if any(folder.glob("gnd_*.pkl")) or (folder / "jpg").is_dir():
        return "revisited"
    if any(child.is_dir() and not child.name.startswith(".") for child in folder.iterdir()):
        return "folders"
    raise BadTable(
        f"{folder} is no data set: it needs queries.csv and relevant.csv, or gnd_….pkl and jpg, or a sub-folder of "
        "pictures for each object."
    )
