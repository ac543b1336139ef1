"""The data set formats by name, and their detection from the content of a folder."""

from collections.abc import Callable
from pathlib import Path

from boxfind.evaluation.dataset import Dataset, read_csv_folder
from boxfind.evaluation.object_folders import read_object_folders
from boxfind.evaluation.revisited_oxford_paris import read_revisited
from retrieval.errors import BadDataset, pick

READERS: dict[str, Callable[[Path], Dataset]] = {
    "csv": read_csv_folder,
    "revisited": read_revisited,
    "folders": read_object_folders,
}


def read_dataset(folder: Path, format_name: str | None = None) -> Dataset:
    """Read the data set in a folder; its format is detected if `format_name` is None.

    Raises BadDataset, BadTable, UnknownName.
    """
    if not folder.is_dir():
        raise BadDataset(f"The data set folder {folder} does not exist.")
    return pick(READERS, "data set format", format_name or detect_format(folder))(folder)


def detect_format(folder: Path) -> str:
    """Detect the format (a key of READERS) of a folder. Raises BadDataset if it is not a data set."""
    if any((folder / name).exists() for name in ("queries.csv", "relevant.csv", "queries", "gallery")):
        return "csv"
    if any(folder.glob("gnd_*.pkl")) or (folder / "jpg").is_dir():
        return "revisited"
    if any(child.is_dir() and not child.name.startswith(".") for child in folder.iterdir()):
        return "folders"
    raise BadDataset(
        f"{folder} is not a data set; it needs queries.csv and relevant.csv, or gnd_….pkl and jpg, or a subfolder of "
        "pictures for each object."
    )
