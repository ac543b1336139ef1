"""The sample of a collection for a comparison of networks, and its crops."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from boxfind.evaluation.dataset import Dataset, Labels
from boxfind.evaluation.network_sample import choose_files, make_crops
from boxfind.settings import Settings
from retrieval.errors import BadDataset, GalleryProblem
from retrieval.types import quiet
from tests.tiny import draw_picture


def labelled(gallery: Path, *relevant: str) -> Dataset:
    labels = Labels({"q": set(relevant)}, {"q": {"0.png"}}, {"q": {"1.png"}})
    return Dataset("marks", gallery, [], {"all": labels}, {})


@pytest.fixture
def settings(gallery: Path, tmp_path: Path) -> Settings:
    (gallery / "a film.mp4").write_bytes(b"film")
    (gallery / "scans.pdf").write_bytes(b"%PDF-")
    return Settings.load(gallery=gallery, index=tmp_path / "index")


def test_a_sample_holds_pictures_of_all_folders_and_no_films_or_documents(settings: Settings):
    assert len(choose_files(settings, 100)) == 8
    few = choose_files(settings, 4)
    assert len(few) == 4 and any(file.id.startswith("below/") for file in few)
    assert few == choose_files(settings, 4)


def test_labelled_pictures_are_always_in_it(settings: Settings):
    chosen = choose_files(settings, 2, labelled(settings.gallery_dir, "4.png", "below/7.png", "scans.pdf#page=2"))
    assert {file.id for file in chosen} == {"0.png", "1.png", "4.png", "below/7.png", "scans.pdf"}
    more = choose_files(settings, 7, labelled(settings.gallery_dir, "4.png"))
    assert len(more) == 7 and {"0.png", "1.png", "4.png"} <= {file.id for file in more}


def test_labels_of_another_collection_are_refused(settings: Settings):
    with pytest.raises(BadDataset, match=r"No relevant picture of marks .* --on"):
        choose_files(settings, 5, labelled(settings.gallery_dir, "elsewhere.png"))


def test_a_folder_without_pictures_is_refused(tmp_path: Path):
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.mp4").write_bytes(b"film")
    with pytest.raises(GalleryProblem, match="no pictures"):
        choose_files(Settings.load(gallery=tmp_path / "films"), 5)


def test_equal_pictures_give_equal_crops_whatever_else_is_in_the_sample(settings: Settings):
    files = choose_files(settings, 8)
    crops, again = make_crops(files, False, quiet), make_crops(files[3:], False, quiet)
    assert [crop.picture for crop in crops] == [file.id for file in files]
    assert all(np.array_equal(one.image, other.image) for one, other in zip(crops[3:], again, strict=True))


def test_each_file_is_read_but_only_the_first_give_crops(settings: Settings):
    said = []
    crops = make_crops(choose_files(settings, 8), False, lambda *step: said.append(step), count=3)
    assert len(crops) == 3 and said[-1] == ("Cutting crops out of pictures", 8, 8)


def test_unreadable_pictures_are_passed_over(settings: Settings):
    files = choose_files(settings, 8)
    os.truncate(files[0].path, 10)
    files[1].path.unlink()
    assert [crop.picture for crop in make_crops(files, False, quiet, count=4)] == [file.id for file in files[2:6]]
    assert len(make_crops(files[1:], False, quiet, count=100)) == 6
    with pytest.raises(GalleryProblem, match="None of the chosen pictures"):
        make_crops(files[:2], False, quiet)


def test_pages_of_one_picture_file_give_one_crop(tmp_path: Path):
    (tmp_path / "scans").mkdir()
    first, second = (Pillow.fromarray(draw_picture(seed)) for seed in (1, 2))
    first.save(tmp_path / "scans" / "two.tif", save_all=True, append_images=[second])
    crops = make_crops(choose_files(Settings.load(gallery=tmp_path / "scans"), 5), False, quiet)
    assert [crop.picture for crop in crops] == ["two.tif"]
