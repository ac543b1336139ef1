"""The sample gallery is complete, has correct boxes, and is generated once and deterministically."""

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from boxfind.samples import draw
from boxfind.samples.backgrounds import BACKGROUNDS
from boxfind.samples.clutter import CLUTTER
from boxfind.samples.draw import SAMPLES, draw_sample, draw_samples, is_complete
from boxfind.samples.light import Light
from boxfind.samples.objects import OBJECTS
from boxfind.samples.scenes import draw_scene, plan_scene
from boxfind.samples.sketch import Cutout
from boxfind.samples.warp import homography
from retrieval.errors import GalleryProblem


def silent(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def cutouts() -> dict[str, Cutout]:
    return {name: make() for name, make in OBJECTS.items()}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[str, int, int]]]:
    folder, calls = tmp_path_factory.mktemp("data") / "sample", []
    draw_samples(folder, lambda what, done, total: calls.append((what, done, total)))
    return folder, calls


@pytest.fixture
def only_three(monkeypatch: pytest.MonkeyPatch, cutouts: dict[str, Cutout]) -> None:
    """Reduce the samples to two gallery pictures and a query, for speed."""
    few = (SAMPLES[0], SAMPLES[1], next(sample for sample in SAMPLES if sample.is_query))
    monkeypatch.setattr(draw, "SAMPLES", few)
    monkeypatch.setattr(draw, "OBJECTS", {name: lambda name=name: cutouts[name] for name in OBJECTS})


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_there_are_five_pictures_and_two_queries_of_every_object(drawn):
    folder, _ = drawn
    gallery = {path.name for path in (folder / "gallery").iterdir()}
    queries, relevant = rows(folder / "queries.csv"), rows(folder / "relevant.csv")
    assert len(OBJECTS) >= 14 and len(gallery) == 5 * len(OBJECTS) >= 70
    assert {row["image"] for row in queries} == {path.name for path in (folder / "queries").iterdir()}
    assert len(queries) == 2 * len(OBJECTS) == len({row["query"] for row in queries})
    assert Counter(row["query"] for row in relevant) == {row["query"]: 5 for row in queries}
    assert {row["image"] for row in relevant} == gallery
    assert (folder / "ignore.csv").read_text().split() == ["query,image"]


def test_a_query_is_only_answered_by_pictures_of_its_object(drawn):
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
def test_the_box_is_where_the_object_is_seen(name, cutouts):
    """Inverting the object's colours changes only its own pixels, which must extend to the edges of the box."""
    rng = np.random.default_rng(list(OBJECTS).index(name))
    cutout = cutouts[name]
    inverted = cutout.copy()
    inverted[..., :3] = 255 - inverted[..., :3]
    scene = replace(plan_scene(rng, "paper", [cutout], (0.3, 0.6)), over=(), light=Light())
    one, boxes = draw_scene(scene, [cutout])
    other, _ = draw_scene(scene, [inverted])
    changed = (np.abs(one.astype(int) - other).max(-1)) > 24
    columns, lines = np.flatnonzero(changed.any(0)), np.flatnonzero(changed.any(1))
    seen = (columns[0], lines[0], columns[-1] + 1, lines[-1] + 1)
    assert np.abs(np.subtract(seen, (boxes[0].x0, boxes[0].y0, boxes[0].x1, boxes[0].y1))).max() <= 2


def test_two_objects_side_by_side_have_boxes_of_their_own(cutouts):
    shown = [cutouts["badge"], cutouts["novel"]]
    _, (first, second) = draw_scene(plan_scene(np.random.default_rng(1), "wood", shown, (0.5, 0.6)), shown)
    assert first.x1 <= second.x0 or second.x1 <= first.x0


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_every_background_fills_the_picture_with_something(background):
    surface = BACKGROUNDS[background](np.random.default_rng(2), 48, 64)
    assert surface.shape == (64, 48, 3) and np.isfinite(surface).all() and surface.std() > 1


@pytest.mark.parametrize("name", [*OBJECTS, *CLUTTER])
def test_every_object_is_cut_out_of_its_surroundings(name):
    cutout = OBJECTS[name]() if name in OBJECTS else CLUTTER[name](np.random.default_rng(2))
    assert cutout.dtype == np.uint8 and cutout.ndim == 3 and cutout.shape[2] == 4
    assert 0.08 < (cutout[..., 3] > 128).mean() <= 1
    if name in OBJECTS:
        assert 290 <= max(cutout.shape) <= 500 and cutout[..., :3][cutout[..., 3] > 128].std() > 20


@pytest.mark.parametrize("sample", SAMPLES[::23], ids=lambda sample: sample.file)
def test_a_picture_is_the_same_every_time(sample, drawn, cutouts, tmp_path):
    image, _ = draw_sample(sample, cutouts)
    Pillow.fromarray(image).save(tmp_path / "again.jpg", "JPEG", quality=90)
    first = drawn[0] / ("queries" if sample.is_query else "gallery") / sample.file
    assert (tmp_path / "again.jpg").read_bytes() == first.read_bytes()


def test_pictures_differ_from_one_another(drawn):
    pictures = [path.read_bytes() for path in drawn[0].rglob("*.jpg")]
    assert len(set(pictures)) == len(pictures) == len(SAMPLES)


def test_progress_goes_up_to_the_last_picture(drawn):
    assert [done for _, done, _ in drawn[1]] == list(range(len(SAMPLES) + 1))
    assert {total for _, _, total in drawn[1]} == {len(SAMPLES)}


def test_a_complete_folder_is_not_touched(drawn):
    folder, _ = drawn
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    draw_samples(folder, lambda *_: pytest.fail("drawn again"))
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize("mark", [None, "", "[]", '{"version": -1}'])
def test_a_half_drawn_or_older_folder_is_replaced(mark, tmp_path, only_three):
    folder = tmp_path / "sample"
    (folder / "gallery").mkdir(parents=True)
    (folder / "gallery" / "old.jpg").write_bytes(b"old")
    if mark is not None:
        (folder / "samples.json").write_text(mark)
    draw_samples(folder, silent)
    assert is_complete(folder) and len(list((folder / "gallery").iterdir())) == 2
    assert not (folder / "gallery" / "old.jpg").exists()


def test_drawing_that_was_broken_off_leaves_nothing_and_is_begun_anew(tmp_path, only_three):
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


def test_a_folder_that_cannot_be_written_is_said_in_a_sentence(tmp_path, only_three):
    (tmp_path / "data").write_text("a file, not a folder")
    with pytest.raises(GalleryProblem, match=r"cannot be created in .*BOXFIND_DATA"):
        draw_samples(tmp_path / "data" / "sample", silent)


def test_a_homography_moves_its_four_points():
    origin = np.array([(0, 0), (9, 1), (7, 9), (-1, 6)], float)  # not a parallelogram, so the map is not affine
    target = np.array([(0, 0), (5, 0), (5, 4), (0, 4)], float)
    a, b, c, d, e, f, g, h = homography(origin, target)
    x, y = origin.T
    moved = np.stack([a * x + b * y + c, d * x + e * y + f]) / (g * x + h * y + 1)
    assert np.allclose(moved.T, target)
