"""A folder with one subfolder of pictures per object is a data set."""

from pathlib import Path

import pytest
from PIL import Image as Pillow

from boxfind.evaluation import object_folders
from boxfind.evaluation.dataset import Labels
from boxfind.evaluation.object_folders import read_object_folders
from retrieval.errors import BadDataset, GalleryProblem


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five cups, two mugs, one hat, and a picture outside any subfolder."""
    names = [*(f"cup/{n}.jpg" for n in range(5)), "mug/a.png", "mug/deeper/b.png", "hat/only.jpg", "loose.jpg"]
    for name in names:
        path = tmp_path / "objects" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Pillow.new("RGB", (20, 20)).save(path)
    (tmp_path / "objects" / "mug" / "notes.txt").touch()
    (tmp_path / "objects" / "mug" / ".hidden.jpg").touch()
    return tmp_path / "objects"


def test_by_hand(folder):
    found = read_object_folders(folder)
    cups = {f"cup/{n}.jpg" for n in range(5)}
    queries = ["cup/0.jpg", "cup/1.jpg", "cup/2.jpg", "mug/a.png", "mug/deeper/b.png"]
    assert (found.name, found.gallery, found.main, found.protocol) == ("objects", folder, "all", "rectangular")
    assert [query.name for query in found.queries] == queries
    assert [query.image for query in found.queries] == [folder.resolve() / name for name in queries]
    assert all(query.box is None for query in found.queries)
    assert found.labels == {
        "all": Labels(
            {
                **{name: cups - {name} for name in queries[:3]},
                "mug/a.png": {"mug/deeper/b.png"},
                "mug/deeper/b.png": {"mug/a.png"},
            },
            {name: {name} for name in queries},
        )
    }
    assert found.objects == {name: name.partition("/")[0] for name in queries}


@pytest.mark.parametrize(("count", "queries"), [(1, 2), (4, 6), (100, 7)])
def test_the_number_of_queries_per_object(folder, monkeypatch, count, queries):
    monkeypatch.setattr(object_folders, "QUERIES_PER_OBJECT", count)
    assert len(read_object_folders(folder).queries) == queries


def test_a_folder_without_objects_is_refused(folder, tmp_path):
    with pytest.raises(BadDataset, match="has no subfolder with two pictures; "):
        read_object_folders(folder / "cup")
    with pytest.raises(GalleryProblem, match="gone"):
        read_object_folders(tmp_path / "gone")
