"""The data set format is detected from the content of the folder."""

from pathlib import Path

import pytest

from boxfind.evaluation.dataset_formats import READERS, detect_format, read_dataset
from retrieval.errors import BadDataset, BadTable, UnknownName


@pytest.mark.parametrize(
    ("names", "format_name"),
    [
        (["queries.csv", "relevant.csv", "queries/", "gallery/"], "csv"),
        (["queries/", "gallery/", "relevant.csv"], "csv"),
        (["gallery/", "queries/"], "csv"),  # not two objects called gallery and queries
        (["gallery/", "query/"], "csv"),
        (["gnd_rparis6k.pkl", "jpg/"], "revisited"),
        (["jpg/"], "revisited"),
        (["mug/", "cup/", "notes.txt"], "folders"),
    ],
)
def test_the_format_is_detected(tmp_path: Path, names, format_name):
    for name in names:
        (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).touch()
    assert detect_format(tmp_path) == format_name
    with pytest.raises((BadDataset, BadTable)):  # raised by the reader of the format, since all files are empty
        read_dataset(tmp_path)


def test_a_folder_that_is_no_data_set_is_refused(tmp_path: Path):
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "a.jpg").touch()
    with pytest.raises(BadDataset, match=r"is not a data set; it needs queries\.csv and relevant\.csv, or gnd_….pkl"):
        read_dataset(tmp_path)
    for format_name in (None, *READERS):
        for folder in (tmp_path / "a.jpg", tmp_path / "gone"):
            with pytest.raises(BadDataset, match=r"The data set folder .* does not exist"):
                read_dataset(folder, format_name)


def test_a_format_by_name(tmp_path: Path):
    (tmp_path / "queries").mkdir()
    for name in "ab":
        (tmp_path / "queries" / f"{name}.jpg").touch()
    assert len(read_dataset(tmp_path, "folders").queries) == 2
    with pytest.raises(BadDataset, match="found 0"):
        read_dataset(tmp_path, "revisited")
    with pytest.raises(UnknownName, match="no data set format called 'cvs'; choose from: csv, folders, revisited"):
        read_dataset(tmp_path, "cvs")
