"""The sample gallery is complete, has correct boxes, and is generated once and deterministically."""

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from boxfind.samples import draw
from boxfind.samples.backgrounds import BACKGROUNDS
from boxfind.samples.draw import OBJECTS, SAMPLES, draw_sample, draw_samples, is_complete
from boxfind.samples.scenes import CLUTTER, draw_scene
from boxfind.samples.svg import render
from retrieval.errors import GalleryProblem


def silent(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[str, int, int]]]:
    folder, calls = tmp_path_factory.mktemp("data") / "sample", []
    draw_samples(folder, lambda what, done, total: calls.append((what, done, total)))
    return folder, calls


@pytest.fixture
def only_three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reduce the samples to two gallery pictures and a query, for speed."""
    few = (SAMPLES[0], SAMPLES[1], next(sample for sample in SAMPLES if sample.is_query))
    monkeypatch.setattr(draw, "SAMPLES", few)


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_object_has_five_gallery_pictures_and_two_queries(drawn):
    folder, _ = drawn
    gallery = {path.name for path in (folder / "gallery").iterdir()}
    queries, relevant = rows(folder / "queries.csv"), rows(folder / "relevant.csv")
    assert len(OBJECTS) >= 14 and len(gallery) == 5 * len(OBJECTS) >= 70
    assert {row["image"] for row in queries} == {path.name for path in (folder / "queries").iterdir()}
    assert len(queries) == 2 * len(OBJECTS) == len({row["query"] for row in queries})
    assert Counter(row["query"] for row in relevant) == {row["query"]: 5 for row in queries}
    assert {row["image"] for row in relevant} == gallery
    assert (folder / "ignore.csv").read_text().split() == ["query,image"]


def test_only_pictures_of_its_object_are_relevant_to_a_query(drawn):
    for row in rows(drawn[0] / "relevant.csv"):
        assert row["query"].rsplit("-", 1)[0] == row["image"].rsplit("-", 1)[0]


def test_every_box_lies_inside_its_picture(drawn):
    folder, _ = drawn
    tables = [("queries", "queries.csv"), ("gallery", "relevant.csv")]
    for part, row in ((part, row) for part, table in tables for row in rows(folder / table)):
        x, y, w, h = (int(row[side]) for side in ("x", "y", "w", "h"))
        with Pillow.open(folder / part / row["image"]) as picture:
            assert picture.size in {(640, 480), (480, 640)}
            assert 0 <= x < x + w <= picture.width and 0 <= y < y + h <= picture.height
            assert 0.12 < max(w, h) / 480 < 0.95, row


@pytest.mark.parametrize("name", OBJECTS)
def test_the_box_encloses_the_object_tightly(name):
    """Inverting the object's colours changes its own pixels only, and they reach the edges of the box."""
    cutout = render(f"objects/{name}")
    inverted = ImageOps.invert(cutout.convert("RGB"))
    inverted.putalpha(cutout.getchannel("A"))
    one, (box,) = draw_scene(np.random.default_rng(4), "paper", [cutout], (0.5, 0.6))
    other, _ = draw_scene(np.random.default_rng(4), "paper", [inverted], (0.5, 0.6))
    changed = np.abs(one.astype(int) - other).max(-1) > 24
    columns, lines = np.flatnonzero(changed.any(0)), np.flatnonzero(changed.any(1))
    seen = (columns[0], lines[0], columns[-1] + 1, lines[-1] + 1)
    assert np.abs(np.subtract(seen, (box.x0, box.y0, box.x1, box.y1))).max() <= 2


def test_two_objects_side_by_side_have_boxes_of_their_own():
    shown = [render("objects/badge"), render("objects/novel")]
    _, (first, second) = draw_scene(np.random.default_rng(1), "wood", shown, (0.5, 0.6))
    assert first.x1 <= second.x0 or second.x1 <= first.x0


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_every_background_fills_the_picture_with_a_texture(background):
    surface = BACKGROUNDS[background](np.random.default_rng(2), 48, 64)
    assert surface.shape == (64, 48, 3) and np.isfinite(surface).all() and surface.std() > 1


@pytest.mark.parametrize("name", [*(f"objects/{name}" for name in OBJECTS), *(f"clutter/{name}" for name in CLUTTER)])
def test_every_drawing_is_cut_out_of_its_surroundings(name):
    cutout = np.asarray(render(name))
    assert cutout.ndim == 3 and cutout.shape[2] == 4
    assert 0.08 < (cutout[..., 3] > 128).mean() <= 1
    if name.startswith("objects/"):
        assert 290 <= max(cutout.shape) <= 500 and cutout[..., :3][cutout[..., 3] > 128].std() > 20


@pytest.mark.parametrize("sample", SAMPLES[::23], ids=lambda sample: sample.file)
def test_drawing_is_deterministic(sample, drawn, tmp_path):
    image, _ = draw_sample(sample)
    Pillow.fromarray(image).save(tmp_path / "again.jpg", "JPEG", quality=90)
    first = drawn[0] / ("queries" if sample.is_query else "gallery") / sample.file
    assert (tmp_path / "again.jpg").read_bytes() == first.read_bytes()


def test_pictures_differ_from_one_another(drawn):
    pictures = [path.read_bytes() for path in drawn[0].rglob("*.jpg")]
    assert len(set(pictures)) == len(pictures) == len(SAMPLES)


def test_progress_counts_every_picture(drawn):
    assert [done for _, done, _ in drawn[1]] == list(range(len(SAMPLES) + 1))
    assert {total for _, _, total in drawn[1]} == {len(SAMPLES)}


def test_a_complete_folder_is_not_drawn_again(drawn):
    folder, _ = drawn
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    draw_samples(folder, lambda *_: pytest.fail("drawn again"))
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize("mark", [None, "", "[]", '{"version": -1}'])
def test_an_incomplete_or_outdated_folder_is_replaced(mark, tmp_path, only_three):
    folder = tmp_path / "sample"
    (folder / "gallery").mkdir(parents=True)
    (folder / "gallery" / "old.jpg").write_bytes(b"old")
    if mark is not None:
        (folder / "samples.json").write_text(mark)
    draw_samples(folder, silent)
    assert is_complete(folder) and len(list((folder / "gallery").iterdir())) == 2
    assert not (folder / "gallery" / "old.jpg").exists()


def test_interrupted_drawing_leaves_no_folder_and_can_be_repeated(tmp_path, only_three):
    folder = tmp_path / "sample"

    def power_cut(what: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_samples(folder, power_cut)
    assert not folder.exists()
    draw_samples(folder, silent)
    assert json.loads((folder / "samples.json").read_text()) == {"version": draw.VERSION, "pictures": 3}
    assert not (tmp_path / ".sample.part").exists()


def test_a_folder_that_is_not_writable_is_refused_with_advice(tmp_path, only_three):
    (tmp_path / "data").write_text("a file, not a folder")
    with pytest.raises(GalleryProblem, match=r"cannot be created in .*BOXFIND_DATA"):
        draw_samples(tmp_path / "data" / "sample", silent)
