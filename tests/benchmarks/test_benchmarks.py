"""Every benchmark runs on a small data set and writes its tables."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from benchmarks import (
    attacks,
    build_speed,
    busy_build,
    documents,
    drawn_videos,
    executors,
    growth,
    load,
    page_memory,
    projection,
    quality,
    results,
    scale,
    side_by_side,
    sides,
    small_objects,
    startup,
    text_search,
    updates,
    waves,
    written_text,
)
from benchmarks.__main__ import NAMES, main
from benchmarks.results import record, table
from benchmarks.stores import NOISE, near
from boxfind.engine import Engine
from boxfind.settings import Settings
from retrieval.descriptors.whitening import Whitening
from retrieval.networks.backbones import choose_backbone, find_backbone
from retrieval.networks.weights import need_weights
from retrieval.types import unit
from tests.browser.conftest import CHROMIUM
from tests.tiny import draw_picture

OBJECTS = ("big-ben", "eiffel-tower", "notre-dame")
REQUIRED = {
    "attacks": ["fastapi"],
    "executors": ["ray"],
    "load": ["fastapi", "pymilvus", "milvus_lite"],
    "stores": ["pymilvus", "milvus_lite"],
    "videos": ["av"],
}
"""Optional packages of a benchmark; without them its test is skipped."""
TABLES = {
    "busy_build": 2,
    "text_search": 3,
    "calibration": 2,
    "growth": 2,
    "catalogue": 2,
    "updates": 2,
    "quality": 2,
    "side_by_side": 2,
    "load": 3,
    "scale": 2,
    "stages": 2,
    "videos": 3,
    "written_text": 3,
}
"""Number of tables, 1 for all others."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 drawn pictures of three objects that sentences.csv names, and a query for each object."""
    folder = tmp_path_factory.mktemp("bench") / "drawn"
    queries, relevant = ["query,image,x,y,w,h,object"], ["query,image"]
    for name in ("gallery", "queries"):
        (folder / name).mkdir(parents=True)
    for number in range(24):
        picture, name = Pillow.fromarray(draw_picture(number)).resize((320, 240)), OBJECTS[number // 8]
        picture.save(folder / "gallery" / f"{number:02d}.jpg")
        relevant.append(f"{name},{number:02d}.jpg")
        if number % 8 == 0:
            picture.save(folder / "queries" / f"{name}.jpg")
            queries.append(f"{name},{name}.jpg,20,20,200,180,{name}")
    (folder / "queries.csv").write_text("\n".join(queries))
    (folder / "relevant.csv").write_text("\n".join(relevant))
    return folder


@pytest.fixture(scope="module")
def index(dataset: Path) -> Path:
    folder = dataset.parent / "index"
    Engine(Settings.load(gallery=dataset / "gallery", index=folder)).builds.build(lambda *_: None)
    return folder


@pytest.fixture
def results_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new RESULTS.md; benchmarks write nothing into the project."""
    file = tmp_path / "RESULTS.md"
    file.write_text("# Results\n\nAn introduction.\n")
    monkeypatch.setattr(results, "written_to", file)
    monkeypatch.setattr(scale, "PLOT", tmp_path / "scale.svg")
    monkeypatch.setattr(side_by_side, "PLOT", tmp_path / "side_by_side.svg")
    return file


def test_attacks_are_measured_on_linux_only(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SystemExit, match="needs Linux"):
        attacks.measure(None)


@pytest.mark.parametrize("name", NAMES)
def test_benchmark_writes_its_tables(name, dataset, index, results_file, monkeypatch):
    for package in REQUIRED.get(name, []):
        pytest.importorskip(package)
    if name == "attacks" and sys.platform != "linux":
        pytest.skip("two loopback addresses need Linux")
    if name in ("page", "page_memory", "busy_build") and CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    for variable in ("GALLERY", "INDEX", "DATA", "RUNTIME", "OFFLINE", "TEXT"):
        monkeypatch.setenv(f"BOXFIND_{variable}", "")  # restored after the test
    for module, constants in {
        attacks: {
            "SECONDS": 0.5,
            "HEADERS": 4,
            "SEARCHING": 2,
            "ATTACKS": dict(list(attacks.ATTACKS.items())[2:]),
        },
        build_speed: {"CASES": build_speed.CASES[:1], "ROUNDS": 1},
        busy_build: {"PAGES": 1, "WATCHED_SECONDS": 1.0},
        documents: {"PAGES": 6, "OBJECTS": 2},
        small_objects: {"INDEXES": {"tiles": {}}, "OBJECTS": 1, "OTHERS": 2},
        executors: {"ROUNDS": 1},
        growth: {"SIZES": (60, 1_000_000), "ADDED": 5, "SEARCHES": 3},
        load: {"SEARCHES": 2, "SINGLE_CLIENT_SEARCHES": 3, "IDLE_SECONDS": 0, "MILVUS_DOWNTIME": 2},
        page_memory: {"PICTURES": 1, "SIDE": 640, "FILES": 1, "FILE_BYTES": 1000, "SECONDS": 0.0},
        scale: {"SIZES": (1_000, 2_000, 1_000_000)},
        text_search: {"SYNTHETIC_IMAGES": 100},
        side_by_side: {
            "PICTURES": 12,
            "ROUNDS": 1,
            "OTHER_TOOLS": {"timm and FAISS": side_by_side.OTHER_TOOLS["timm and FAISS"]},
            "OURS": {"Boxfind": {}},
        },
        sides: {"SIDES": (64,)},
        startup: {"REPEATS": 1},
        quality: {"INDEXES": {"the default": {}}},
        updates: {"STARTED": 1, "SEARCHES": 10},
        waves: {"ROUNDS": 1, "FIRST_WAVE": 0.001},
        drawn_videos: {"VIDEOS": 1, "SECONDS": 6, "WIDTH": 480, "HEIGHT": 270, "OBJECTS": drawn_videos.OBJECTS[:10]},
        written_text: {"PICTURES": 50, "DIFFERENT_WORDS": 10_000, "QUERIES": 2},
    }.items():
        for constant, value in constants.items():
            monkeypatch.setattr(module, constant, value)
    arguments = [name, str(dataset), "--index", str(index), "--pictures", "12", "--vectors", "3000"]
    with ThreadPoolExecutor(1) as thread:  # in the main thread, Playwright may already serve other tests
        thread.submit(main, arguments).result()
    text = results_file.read_text()
    assert text.count("\n| ---") == TABLES.get(name, 1)
    assert "nan" not in text
    for plotted in ("scale", "side_by_side"):
        assert (results_file.parent / f"{plotted}.svg").exists() == (name == plotted)


def test_a_short_run_of_quality_ranks_with_the_given_index(dataset, index, results_file, tmp_path, monkeypatch):
    for variable in ("GALLERY", "INDEX", "DATA", "RUNTIME", "OFFLINE", "TEXT"):
        monkeypatch.setenv(f"BOXFIND_{variable}", "")  # restored after the test
    monkeypatch.setattr(quality, "RANKED", {"fast": quality.RANKED["fast: one exact search"]})
    monkeypatch.setattr(quality, "INDEXES", {})
    generations = sorted(index.iterdir())
    monkeypatch.setattr(results, "SHORT_RUN", tmp_path / "SHORT_RUN.md")
    results.SHORT_RUN.write_text("# The last short run\n")
    whole = results_file.read_text()
    main(["quality", str(dataset), "--index", str(index), "--short"])
    assert results_file.read_text() == whole
    text = results.SHORT_RUN.read_text()
    assert "## Quality on drawn: rankings" in text and text.count("\n| ---") == 1
    assert [path for path in generations if path.is_dir()] == [
        path for path in sorted(index.iterdir()) if path.is_dir()
    ]


def test_a_section_keeps_its_text_and_its_place(results_file):
    record("First", table(["a"], [[1]]))
    record("Second", table(["b"], [[2]]))
    results_file.write_text(results_file.read_text().replace("## First\n", "## First\n\nSome text.\n"))
    before = results_file.read_text()
    record("First", table(["a"], [[3]]), table(["c"], [[4]]))
    expected = before.replace("| 1 |", "| 3 |\n\n| c |\n| --- |\n| 4 |")
    assert results_file.read_text() == expected
    assert before != expected


def test_synthetic_vectors_are_near_real_ones_and_distinct():
    real = unit(np.random.default_rng(0).normal(size=(50, 64)))
    made = near(real, 500, seed=1)
    assert np.linalg.norm(made, axis=1) == pytest.approx(1, abs=1e-5)
    assert (made @ real.T).max(axis=1).mean() == pytest.approx(1 / np.sqrt(1 + NOISE**2), abs=0.02)
    assert len(np.unique(made, axis=0)) == 500


def test_synthetic_vectors_are_written_in_distinct_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "CHUNK", 100)
    real = unit(np.random.default_rng(0).normal(size=(50, 64)))
    scale.write_vectors(real, 1234, tmp_path / "vectors.npy")
    written = np.load(tmp_path / "vectors.npy")
    assert written.shape == (1234, 64) and written.dtype == np.float32 and len(np.unique(written, axis=0)) == 1234
    assert np.array_equal(written[1200:], near(real, 34, seed=12))


def test_search_time_is_extrapolated_on_logarithmic_scales():
    assert scale.extrapolated([(1e4, 0.5), (1e6, 10.0), (1e7, 100.0)], 1e8) == pytest.approx(1000)


def test_random_resnet50_weights_are_temporary(tmp_path):
    before = find_backbone("resnet50")
    with build_speed.random_resnet50(tmp_path / "weights"):
        backbone, _ = choose_backbone("resnet50", offline=True)
        assert need_weights(backbone.weights).is_relative_to(tmp_path)
    assert find_backbone("resnet50") is before


def test_the_projection_agrees_with_the_document(capsys):
    projection.main()
    assert capsys.readouterr().out in (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("centre", [0.0, 0.05])
def test_unwhitened_vectors_are_whitened_to_what_they_were(centre):
    rng = np.random.default_rng(3)
    whitening = Whitening("mined", np.full(40, centre, np.float32), rng.normal(size=(40, 12)).astype(np.float32))
    vectors = unit(rng.normal(size=(30, 12)))
    raw = growth.unwhitened(vectors, whitening, np.linalg.pinv(whitening.projection))
    assert np.linalg.norm(raw, axis=1) == pytest.approx(1, abs=1e-4)
    assert whitening.apply(raw) == pytest.approx(vectors, abs=1e-4)
