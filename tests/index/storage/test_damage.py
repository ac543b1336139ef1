"""Damaged, foreign or forged files are rejected with one sentence, and the previous generation is served."""

import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image as Pillow

from boxfind.engine import Engine
from boxfind.settings import Settings
from index.building.build import build
from index.building.thread_executor import ThreadExecutor
from index.gallery import open_gallery
from index.operations.folder_changes import folder_change_sentences
from index.operations.history import roll_back, stored_generations
from index.operations.verify import verify
from index.storage.generation import current_folder, generations, open_generation, served_generation
from index.storage.manifest import FORMAT, read_manifest
from retrieval.errors import IndexProblem
from retrieval.images.decode import load_image
from retrieval.networks.backbones import BACKBONES
from retrieval.networks.weights import file_sha256
from retrieval.types import Box

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def built_twice(tmp_path_factory: pytest.TempPathFactory, draw, tiny_embedder, pool) -> Path:
    """The second of two generations, with one more image than the first."""
    folder = tmp_path_factory.mktemp("twice")
    (folder / "gallery").mkdir()
    for number in range(6):
        Pillow.fromarray(draw(number, 64, 48)).save(folder / "gallery" / f"{number}.png")
        if number > 3:
            last = build(folder / "gallery", folder / "index", ThreadExecutor(tiny_embedder, pool), lambda *_: None)
    return last


@pytest.fixture
def generation(built_twice: Path, tmp_path: Path) -> Path:
    """A copy to damage, served from tmp_path/index."""
    shutil.copytree(built_twice.parent, tmp_path / "index")
    return tmp_path / "index" / built_twice.name


def change_manifest(generation: Path, change: Callable[[dict], dict]) -> None:
    manifest = json.loads((generation / "manifest.json").read_bytes())
    (generation / "manifest.json").write_text(json.dumps(change(manifest)))


def vouched(generation: Path, name: str, content: bytes) -> None:
    """Replace a file and its hash in the manifest, as an attacker would."""
    (generation / name).write_bytes(content)
    facts = {"bytes": len(content), "sha256": file_sha256(generation / name)}
    change_manifest(generation, lambda manifest: {**manifest, "files": {**manifest["files"], name: facts}})


def assert_refused(generation: Path, *words: str) -> None:
    """Opening fails with one sentence, and the previous generation is served with a warning."""
    with pytest.raises(IndexProblem) as caught:
        open_generation(generation)
    sentence = str(caught.value)
    assert all(word in sentence for word in words), sentence
    assert "\n" not in sentence and sentence.endswith(".") and "Rebuild it" in sentence
    assert verify(generation.parent)
    served, warning = served_generation(generation.parent)
    assert served.folder == generations(generation.parent)[0] != generation and "damaged" in warning
    assert len(served.tables.ids) == 5


def as_npy(array: np.ndarray, pickled: bool = False) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=pickled)
    return out.getvalue()


def header(shape: tuple[int, ...]) -> bytes:
    """An .npy header of this shape, followed by only a few bytes."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return out.getvalue() + bytes(400)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data[:20],
        lambda data: b"",
        lambda data: data + b"x",
        lambda data: data + data,
        lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:],
        lambda data: bytes([data[0] ^ 0x80]) + data[1:],
        lambda data: data[:-1] + bytes([data[-1] ^ 0x10]),
    ],
)
def test_r31_vectors_that_are_not_what_was_written(generation: Path, damage):
    vectors = generation / "vectors.npy"
    vectors.write_bytes(damage(vectors.read_bytes()))
    assert_refused(generation, "vectors.npy differs from what was written", generation.name)


class Trap:
    def __reduce__(self) -> tuple:
        return os.mkdir, ("sprung",)


FOREIGN = {
    "other rows": lambda v: as_npy(v[:-1]),
    "other columns": lambda v: as_npy(v[:, :-1]),
    "one dimension": lambda v: as_npy(v.ravel()),
    "three dimensions": lambda v: as_npy(v[:, :, None]),
    "float64": lambda v: as_npy(v.astype(np.float64)),
    "the other byte order": lambda v: as_npy(v.astype(">f4")),
    "whole numbers": lambda v: as_npy(v.astype(np.int32)),
    "columns first": lambda v: as_npy(np.asfortranarray(v)),
    "pickled objects": lambda v: as_npy(np.array([Trap()], dtype=object), pickled=True),
    "a pickle": lambda v: pickle.dumps(Trap()),
    "a zip": lambda v: b"PK\x03\x04" + bytes(60),
    "text": lambda v: b"no array",
    "nothing": lambda v: b"",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN.keys())
def test_r31_vectors_of_another_kind_that_the_manifest_vouches_for(generation: Path, content, monkeypatch):
    monkeypatch.chdir(generation.parent)
    vouched(generation, "vectors.npy", content(np.load(generation / "vectors.npy")))
    assert_refused(generation, "damaged")
    assert not Path("sprung").exists()


@pytest.mark.parametrize("name", ["vectors.npy", "whitening.npz", "neighbours.npz"])
@pytest.mark.parametrize("shape", [(10**12, 8), (0, 10**13), (2**62, 8)])
def test_r31_a_header_of_terabytes_allocates_nothing(generation: Path, name, shape):
    rows = read_manifest(generation).counts.regions
    content = header((shape[0] or rows, shape[1]))
    if name.endswith(".npz"):
        with np.load(generation / name) as arrays:
            members = {f"{member}.npy": as_npy(arrays[member]) for member in arrays.files}
        out = io.BytesIO()
        with ZipFile(out, "w") as archive:
            for member in members:
                archive.writestr(member, content)
        content = out.getvalue()
    vouched(generation, name, content)
    tracemalloc.start()
    try:
        assert_refused(generation, "damaged")
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no readable manifest"),
        (b"", "no readable manifest"),
        (b"{", "no readable manifest"),
        (b"[]", "no readable manifest"),
        (b"\xff\xfe\x00", "no readable manifest"),
        (json.dumps({"format": FORMAT}).encode(), "no readable manifest"),
        (b"[" * 100_000, "no readable manifest"),
        (
            json.dumps({"format": FORMAT + 1}).encode(),
            f"has format {FORMAT + 1}, but this program reads format {FORMAT}",
        ),
    ],
)
def test_r32_a_manifest_that_cannot_be_used(generation: Path, content, says):
    (generation / "manifest.json").unlink()
    if content is not None:
        (generation / "manifest.json").write_bytes(content)
    assert_refused(generation, says, generation.name)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: {name: value for name, value in m.items() if name != "recipe"},
        lambda m: {**m, "counts": {**m["counts"], "images": "many"}},
        lambda m: {**m, "files": {"../../../etc/passwd": {"bytes": 1, "sha256": "0"}}},
        lambda m: {**m, "files": {"/etc/passwd": {"bytes": 1, "sha256": "0"}}},
        lambda m: {**m, "created": "yesterday"},
    ],
)
def test_r32_a_manifest_with_a_field_that_cannot_be(generation: Path, change):
    change_manifest(generation, change)
    assert_refused(generation, "no readable manifest")


LITE0 = BACKBONES["efficientnet-lite0"]


def claim_recipe(generation: Path, **changes: object) -> None:
    """An index with a known model and a changed recipe."""
    true = {"weights_sha256": LITE0.weights.sha256, "preprocessing": LITE0.preprocessing}
    change_manifest(generation, lambda manifest: {**manifest, "recipe": {**manifest["recipe"], **true, **changes}})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"backbone": "vgg19"}, ["built with vgg19", "does not include", "Rebuild"]),
        ({"weights_sha256": "1" * 64}, ["weights 11111111", LITE0.weights.sha256[:8], "Rebuild"]),
        ({"preprocessing": 99}, ["preprocessing 99", "Rebuild"]),
    ],
)
def test_r32_an_index_of_another_model_is_shown_and_not_searched(generation: Path, changes, says):
    claim_recipe(generation, **changes)
    engine = Engine(Settings.load(index=generation.parent))
    gallery = engine.gallery()
    assert gallery.folder == generation and gallery.thumbnail("1.png")
    picture = load_image(gallery.file("1.png"))
    with pytest.raises(IndexProblem) as caught:
        engine.search(gallery, picture, Box.whole(picture))
    assert all(word in str(caught.value) for word in says), caught.value


def test_r32_verify_compares_the_recipe_with_what_runs(generation: Path):
    claim_recipe(generation)
    assert folder_change_sentences(generation.parent) == []
    claim_recipe(generation, preprocessing=99)
    (said,) = folder_change_sentences(generation.parent)
    assert (
        "preprocessing 99" in said
        and f"preprocessing {LITE0.preprocessing}" in said
        and said.endswith("Rebuild the index.")
    )


def change_table(generation: Path, name: str, change: Callable[[list[dict]], list[dict]]) -> None:
    table = pq.read_table(generation / name)
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(change(table.to_pylist()), schema=table.schema), out)
    vouched(generation, name, out.getvalue())


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("regions.parquet", lambda rows: rows[:-1]),
        ("regions.parquet", lambda rows: [*rows, rows[-1]]),
        ("regions.parquet", lambda rows: []),
        ("images.parquet", lambda rows: rows[:-1]),
        ("images.parquet", lambda rows: [*rows, {**rows[-1], "image": "z"}]),
        ("images.parquet", lambda rows: []),
    ],
)
def test_r33_tables_that_do_not_fit_the_vectors(generation: Path, table, change):
    change_table(generation, table, change)
    assert_refused(generation, "damaged")


@pytest.mark.parametrize("count", ["images", "regions"])
def test_r33_counts_that_do_not_fit_the_tables(generation: Path, count):
    change_manifest(generation, lambda m: {**m, "counts": {**m["counts"], count: m["counts"][count] + 1}})
    assert_refused(generation, "damaged")


def test_r33_an_id_twice(generation: Path):
    change_table(generation, "images.parquet", lambda rows: [rows[0], rows[0], *rows[2:]])
    assert_refused(generation, "damaged", "ids")


@pytest.mark.parametrize(
    "path", [b"/etc/passwd", b"../outside.png", b"below/../../outside.png", b"..", b"", b"a\0.png", b"below/.."]
)
def test_r33_a_path_that_leads_out_of_the_gallery(generation: Path, path):
    change_table(generation, "images.parquet", lambda rows: [{**rows[0], "path": path}, *rows[1:]])
    assert_refused(generation, "damaged")


@pytest.mark.parametrize("column", ["thumb_file", "keypoints_file"])
@pytest.mark.parametrize("file", ["/etc/passwd", "../../../../etc/passwd", "thumbs/9999.jpgs", "manifest.json", ""])
def test_r33_a_slice_of_a_file_that_is_none_of_ours(generation: Path, column, file):
    change_table(generation, "images.parquet", lambda rows: [{**rows[0], column: file}, *rows[1:]])
    assert_refused(generation, "damaged")


OPEN_ALL = """
import sys
from pathlib import Path
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
import numpy as np
from index.operations.backup import backup
from index.operations.folder_changes import find_folder_changes
from index.gallery import open_gallery
from index.storage.generation import current_folder, served_generation
from index.operations.history import stored_generations
from index.building.jobs import build_state
from index.operations.verify import remarks, verify
from index.operations.explain import explain
index = Path(sys.argv[1])
gallery = open_gallery(current_folder(index))
gallery.nearest(gallery.descriptors[0], 5)
gallery.thumbnail("1.png"), gallery.keypoints(1), served_generation(index), build_state(index)
assert verify(index) == [], verify(index)
stored_generations(index, thorough=True)
find_folder_changes(gallery.folder)
explain(index, "1.png")
backup(index, index / "backup.tar")
print("\\n".join(remarks(index)))
assert any(name.endswith("vectors.npy") for name in opened)
dropped = [name for name in opened if "foreign" in name]
assert not dropped, dropped
"""
DROPPED = ("foreign.faiss", "foreign.pkl", "foreign.pt", "foreign.npy", "thumbs/foreign.pkl", "foreign.parquet")


def test_r34_what_is_dropped_into_the_index_is_never_opened(generation: Path, tmp_path: Path):
    for folder in (generation.parent, generation):
        for name in DROPPED:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(pickle.dumps(Trap()))
    done = subprocess.run(
        [sys.executable, "-c", OPEN_ALL, str(generation.parent)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert all(f"{name} in {generation.name} is not part of the index" in done.stdout for name in DROPPED)
    assert not (tmp_path / "sprung").exists()


def test_r34_a_build_takes_nothing_over_that_was_dropped(generation: Path, build_index, draw):
    gallery = Path(read_manifest(generation).gallery)
    for name in DROPPED:
        (generation / name).write_bytes(pickle.dumps(Trap()))
    copy = shutil.copytree(gallery, generation.parent.parent / "gallery")
    Pillow.fromarray(draw(9, 64, 48)).save(copy / "9.png")
    after = build_index(copy)
    assert after != generation and not list(after.rglob("foreign*")) and verify(after.parent) == []


def test_r52_the_order_of_generations_is_that_of_their_numbers(generation: Path, draw, build_index):
    change_manifest(generation, lambda manifest: {**manifest, "created": "2099-01-01T00:00:00Z"})
    first = generations(generation.parent)[0]
    os.utime(first, (4e9, 4e9))
    copy = shutil.copytree(read_manifest(generation).gallery, generation.parent.parent / "gallery")
    Pillow.fromarray(draw(9, 64, 48)).save(copy / "9.png")
    third = build_index(copy)  # its clock time is before the second
    assert [folder.name[:10] for folder in generations(third.parent)] == ["gen-000002", "gen-000003"]
    assert current_folder(third.parent) == third and served_generation(third.parent)[0].folder == third
    assert [one.name for one in stored_generations(third.parent)] == [generation.name, third.name]
    assert roll_back(third.parent) == generation


def test_r52_numbers_are_compared_as_numbers(generation: Path):
    generation.rename(generation.with_name("gen-1000000-0000"))
    generations(generation.parent)[0].rename(generation.with_name("gen-999999-ffff"))
    assert [folder.name for folder in generations(generation.parent)] == ["gen-999999-ffff", "gen-1000000-0000"]


def test_r52_pictures_of_the_future_and_of_the_past(gallery: Path, build_index):
    times = [4.1e9, 0.0, -1e9, 2**33]
    for number, seconds in enumerate(times):
        os.utime(gallery / f"{number}.png", (seconds, seconds))
    folder = build_index(gallery)
    assert [open_gallery(folder).entry(f"{number}.png").mtime for number in range(len(times))] == times
    assert build_index(gallery) == folder and verify(folder.parent) == []
    (gallery / "0.png").write_bytes((gallery / "1.png").read_bytes())
    os.utime(gallery / "0.png", (times[0], times[0]))
    assert build_index(gallery) != folder


@pytest.mark.parametrize("before", range(1, 4))
def test_r55_an_index_of_an_earlier_program_is_refused_and_built_again(gallery: Path, build_index, before):
    old = build_index(gallery)
    later = ("changes", "learned") if before == 2 else ("changes", "learned", "background")
    change_manifest(old, lambda m: {**{k: v for k, v in m.items() if k not in later}, "format": before})
    with pytest.raises(
        IndexProblem, match=rf"has format {before}, but this program reads format {FORMAT}\. Rebuild it"
    ):
        served_generation(old.parent)
    assert [one.problem for one in stored_generations(old.parent)] == verify(old.parent)
    new = build_index(gallery)
    assert verify(new.parent) == [] and read_manifest(new).changes.added == 8
    with pytest.raises(IndexProblem, match="no earlier intact generation"):
        roll_back(new.parent)
    assert current_folder(new.parent) == new
