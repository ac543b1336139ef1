"""IVF cells reach the required recall with exact scores, and are updated as the gallery grows."""

import errno
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import pytest

from index.building import assemble
from index.gallery import make_gallery
from index.operations.verify import verify
from index.storage.arrays import INVERTED_FILE, Cells, read_cells, write_cells
from index.storage.generation import current_folder, open_generation
from index.storage.hashed_file import HashedFile
from index.storage.manifest import read_manifest
from index.stores import inverted_file, ivf
from index.stores import ivf_store as cell_store
from index.stores.flat_store import nearest, scan
from index.stores.inverted_file import write_inverted_file
from index.stores.ivf import make_cells, nearest_cells, update_cells, wants_cells
from index.stores.ivf_store import IvfStore
from retrieval.errors import IndexProblem
from retrieval.networks.weights import file_sha256
from retrieval.types import quiet, unit

DIMENSIONS = 32


def clustered(count: int, seed: int = 0) -> np.ndarray:
    """Read-only unit vectors in 300 clusters."""
    rng = np.random.default_rng(seed)
    middles = unit(np.random.default_rng(99).normal(size=(300, DIMENSIONS)))
    vectors = unit(middles[rng.integers(0, 300, count)] + rng.normal(0, 0.08, (count, DIMENSIONS)))
    vectors.setflags(write=False)
    return vectors


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    return clustered(20_000)


@pytest.fixture(scope="module")
def sorted_in(table) -> Cells:
    return make_cells(table, quiet)


@pytest.fixture(scope="module")
def store(table, sorted_in) -> IvfStore:
    return IvfStore(table, sorted_in)


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record the number of vectors in each exact scan."""
    sizes: list[int] = []

    def counting(vectors, query, count, among):
        sizes.append(len(among))
        return scan(vectors, query, count, among)

    monkeypatch.setattr(cell_store, "scan", counting)
    return sizes


def search_all(store: IvfStore, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Search the whole table -> rows (Q, K), scores (Q, K)."""
    found = [store.search(query, count, range(len(store._vectors))) for query in queries]
    return np.stack([rows for rows, _ in found]), np.stack([scores for _, scores in found])


def test_every_vector_is_in_its_nearest_cell(table, sorted_in):
    assert sorted_in.centroids.shape == (141, DIMENSIONS)
    assert np.linalg.norm(sorted_in.centroids, axis=1) == pytest.approx(1, abs=1e-5)
    similar = table @ sorted_in.centroids.T
    own = similar[np.arange(len(table)), sorted_in.of_row]
    assert own == pytest.approx(similar.max(axis=1), abs=1e-6)
    assert 1 <= sorted_in.probes < 141 * cell_store.TOO_MANY


def test_recall_of_the_nearest_rows_and_exact_scores_in_order(table, store, scanned):
    queries = unit(clustered(300, seed=1) + np.random.default_rng(2).normal(0, 0.05, (300, DIMENSIONS)))
    exact, _ = nearest(table, queries, 10, range(len(table)))
    rows, scores = search_all(store, queries, 10)
    found = [len(set(its) & set(true)) for its, true in zip(rows.tolist(), exact.tolist(), strict=True)]
    assert np.mean(found) / 10 >= 0.98
    assert scores == pytest.approx(np.einsum("qd,qkd->qk", queries, table[rows]), abs=1e-6)
    assert (np.diff(scores, axis=1) <= 0).all() and all(len(set(its)) == 10 for its in rows.tolist())
    assert scanned == []


def test_the_number_of_probes_is_just_sufficient(monkeypatch):
    monkeypatch.setattr(cell_store, "TOO_MANY", 2.0)
    rng = np.random.default_rng(0)
    vectors = unit(rng.normal(size=(8000, 16)))  # no clusters, the hardest case
    queries = unit(vectors[::20] + 0.75 / 4 * rng.normal(size=(400, 16)))
    exact, _ = nearest(vectors, queries, 10, range(8000))
    tuned = make_cells(vectors, quiet)

    def recall(probes: int) -> float:
        rows, _ = search_all(IvfStore(vectors, replace(tuned, probes=probes)), queries, 10)
        return float(np.mean([len(set(its) & set(true)) / 10 for its, true in zip(rows, exact, strict=True)]))

    assert recall(tuned.probes) >= 0.975 > 0.96 > recall(tuned.probes * 2 // 3)


def test_a_stored_vector_finds_itself(table, store):
    rows, scores = search_all(store, table[::1000], 1)
    assert rows[:, 0].tolist() == list(range(0, 20_000, 1000)) and scores == pytest.approx(1, abs=1e-5)


def test_a_restricted_search_probes_more_cells_or_scans(table, store, scanned):
    query, among = table[12_345], range(10_000, 20_000)
    rows, _ = store.search(query, 10, among)
    exact, _ = scan(table, query, 10, among)
    assert len(set(rows) & set(exact)) >= 9 and rows.min() >= 10_000
    assert scanned == []
    few = range(40, 60)
    rows, scores = store.search(query, 30, few)
    assert sorted(rows) == list(few) and scores[0] == pytest.approx((table[40:60] @ query).max(), abs=1e-6)
    assert scanned == [20]


def test_a_search_for_many_results_scans_all_vectors(table, store, scanned):
    rows, _ = store.search(table[0], 5000, range(20_000))
    assert np.array_equal(rows, scan(table, table[0], 5000, range(20_000))[0]) and scanned == [20_000]


def test_a_search_falls_back_to_a_scan_if_the_cells_hold_too_few_rows(table, sorted_in, monkeypatch):
    monkeypatch.setattr(IvfStore, "_probes", lambda *_: 1)
    rows, _ = IvfStore(table, sorted_in).search(table[0], 1000, range(20_000))
    assert rows.tolist() == scan(table, table[0], 1000, range(20_000))[0].tolist()


@pytest.mark.parametrize("count", [1, 2, 3, 5, 40])
def test_cells_of_very_few_vectors(count, monkeypatch):
    monkeypatch.setattr(ivf, "NEAREST", 3)
    vectors = clustered(count)
    rows, scores = search_all(IvfStore(vectors, make_cells(vectors, quiet)), vectors, 2)
    assert rows[:, 0].tolist() == list(range(count)) and scores[:, 0] == pytest.approx(1, abs=1e-5)


def test_the_same_vectors_make_the_same_cells(table, sorted_in):
    again = make_cells(table, quiet)
    assert np.array_equal(again.centroids, sorted_in.centroids) and np.array_equal(again.of_row, sorted_in.of_row)
    assert (again.probes, again.learned) == (sorted_in.probes, sorted_in.learned) == (sorted_in.probes, 20_000)


def test_an_update_assigns_only_new_vectors(table, sorted_in, monkeypatch):
    sorted_anew: list[int] = []

    def counting(vectors, centroids):
        sorted_anew.append(len(vectors))
        return nearest_cells(vectors, centroids)

    monkeypatch.setattr(ivf, "nearest_cells", counting)
    new = clustered(1500, seed=3)
    kept = np.delete(np.arange(20_000), np.arange(0, 20_000, 10))
    order = np.random.default_rng(4).permutation(len(kept) + len(new))
    together = np.concatenate([table[kept], new])[np.argsort(order)]  # row i moves to order[i]
    here = np.full(20_000, -1)
    here[kept] = order[: len(kept)]
    updated = update_cells(sorted_in, here, together, quiet)
    assert sum(sorted_anew) == 1500
    assert updated.centroids is sorted_in.centroids and updated.learned == 20_000
    assert np.array_equal(updated.of_row, nearest_cells(together, sorted_in.centroids))


@pytest.mark.parametrize("count", [40_000, 10_000])
def test_an_outgrown_gallery_gets_new_cells(table, sorted_in, count):
    vectors = np.concatenate([table, clustered(20_000, seed=5)])[:count]
    here = np.where(np.arange(20_000) < count, np.arange(20_000), -1)
    updated = update_cells(sorted_in, here, vectors, quiet)
    assert len(updated.centroids) == int(count**0.5) and updated.learned == count == len(updated.of_row)


def test_cells_are_used_for_large_indexes_or_on_request(monkeypatch):
    assert not wants_cells("auto", ivf.MANY) and wants_cells("auto", ivf.MANY + 1)
    assert wants_cells("cells", 1) and not wants_cells("flat", 10**9) and not wants_cells("half", 10**9)


def test_cells_are_read_as_written(sorted_in, tmp_path: Path):
    write_cells(tmp_path, sorted_in)
    back = read_cells(tmp_path, 20_000, DIMENSIONS)
    assert np.array_equal(back.centroids, sorted_in.centroids) and np.array_equal(back.of_row, sorted_in.of_row)
    assert (back.probes, back.learned) == (sorted_in.probes, sorted_in.learned)


def changed(**arrays: object) -> dict[str, np.ndarray]:
    good = {
        "centroids": np.eye(4, 3, dtype=np.float32),
        "of_row": np.array([0, 3, 1, 0, 2], np.uint16),
        "probes": np.array(2, np.int64),
        "learned": np.array(5, np.int64),
    }
    return good | {name: np.asarray(array) for name, array in arrays.items()}


@pytest.mark.parametrize(
    "arrays",
    [
        {"of_row": np.array([0, 4, 1, 0, 2], np.uint16)},
        {"of_row": np.array([0, 3, 1, 0, 2], np.int64)},
        {"of_row": np.array([0, 3, 1, 0], np.uint16)},
        {"of_row": np.array([[0, 3, 1, 0, 2]], np.uint16)},
        {"centroids": np.eye(4, 2, dtype=np.float32)},
        {"centroids": np.eye(4, 3)},
        {"centroids": np.zeros((0, 3), np.float32)},
        {"centroids": np.zeros(3, np.float32)},
        {"centroids": np.full((4, 3), np.nan, np.float32)},
        {"probes": np.array(0)},
        {"probes": np.array(5)},
        {"probes": np.array(2.0)},
        {"probes": np.array([2])},
        {"learned": np.array(0)},
        {"learned": np.array("5")},
    ],
)
def test_cells_that_do_not_match_the_vectors_are_refused(arrays, tmp_path: Path):
    np.savez(tmp_path / "cells.npz", **changed())
    assert read_cells(tmp_path, 5, 3).of_row.tolist() == [0, 3, 1, 0, 2]
    np.savez(tmp_path / "cells.npz", **changed(**arrays))
    with pytest.raises(ValueError, match=r"cells\.npz (does not match|is inconsistent)"):
        read_cells(tmp_path, 5, 3)


@pytest.fixture
def by_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assemble, "wants_cells", lambda *_: True)
    monkeypatch.setattr(cell_store, "TOO_MANY", 2.0)


def vouched(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    """Replace the cells and their hash in the manifest."""
    path = folder / "cells.npz"
    np.savez(path, **arrays)
    manifest = read_manifest(folder)
    facts = manifest.files["cells.npz"].model_copy(update={"bytes": path.stat().st_size, "sha256": file_sha256(path)})
    manifest = manifest.model_copy(update={"files": {**manifest.files, "cells.npz": facts}})
    (folder / "manifest.json").write_text(manifest.model_dump_json())


def test_an_index_built_with_cells_is_searched_with_them(gallery: Path, build_index, by_cells):
    folder = build_index(gallery)
    generation = open_generation(folder)
    assert generation.cells is not None and verify(folder.parent) == []
    searched = make_gallery(generation)
    assert isinstance(searched.store, IvfStore)
    query = generation.vectors[3]
    assert searched.nearest(query, 1)[0].tolist() == make_gallery(generation, "flat").nearest(query, 1)[0].tolist()


def test_an_update_keeps_the_cells(gallery: Path, build_index, by_cells, draw):
    first = open_generation(build_index(gallery))
    (gallery / "0.png").rename(gallery / "zz.png")
    (gallery / "1.png").unlink()
    second = open_generation(build_index(gallery))
    assert first.cells and second.cells and first.folder != second.folder
    assert np.array_equal(first.cells.centroids, second.cells.centroids)
    assert second.cells.learned == len(first.vectors) > len(second.vectors)
    assert np.array_equal(second.cells.of_row, nearest_cells(second.vectors, second.cells.centroids))


def test_an_index_without_cells(gallery: Path, build_index):
    generation = open_generation(build_index(gallery))
    assert generation.cells is None and not (generation.folder / "cells.npz").exists()
    with pytest.raises(IndexProblem, match="rebuild it with BOXFIND_STORE=cells"):
        make_gallery(generation, "cells")


def test_damaged_cells_are_refused_and_wrong_ones_are_reported(gallery: Path, build_index, by_cells):
    folder = build_index(gallery)
    with np.load(folder / "cells.npz") as file:
        arrays = dict(file)
    count = len(arrays["centroids"])
    vouched(folder, {**arrays, "of_row": (arrays["of_row"] + 1) % count})
    (fault,) = verify(current_folder(folder.parent).parent)
    assert fault.startswith("Vectors in the wrong cell, which searches may miss: ")
    vouched(folder, {**arrays, "of_row": arrays["of_row"] + count})
    with pytest.raises(IndexProblem, match=r"cells\.npz does not match the vectors"):
        open_generation(folder)
    vouched(folder, {"centroids": arrays["centroids"]})
    with pytest.raises(IndexProblem, match="Rebuild it"):
        open_generation(folder)
    (folder / "cells.npz").write_bytes(b"PK")
    with pytest.raises(IndexProblem, match=r"cells\.npz differs from what was written"):
        open_generation(folder)


def test_the_written_inverted_file_answers_like_one_made_in_memory(table, sorted_in, tmp_path: Path):
    file = tmp_path / INVERTED_FILE
    facts = write_inverted_file(file, table, sorted_in)[INVERTED_FILE]
    assert (facts.bytes, facts.sha256) == (file.stat().st_size, file_sha256(file))
    mapped, made = IvfStore(table, replace(sorted_in, inverted_file=file)), IvfStore(table, sorted_in)
    for query in table[::1000]:
        for among in (range(len(table)), range(3000, 9000)):
            (rows, scores), wanted = mapped.search(query, 20, among), made.search(query, 20, among)
            assert np.array_equal(rows, wanted[0]) and np.array_equal(scores, wanted[1])


def test_opening_a_written_inverted_file_sorts_no_vectors(gallery: Path, build_index, by_cells, monkeypatch):
    folder = build_index(gallery)
    assert INVERTED_FILE in read_manifest(folder).files

    def refused(*_: object) -> None:
        raise AssertionError("the vectors were sorted into cells again")

    monkeypatch.setattr(inverted_file, "make_inverted_file", refused)
    assert make_gallery(open_generation(folder)).nearest(open_generation(folder).vectors[3], 1)[0].tolist() == [3]


def test_an_index_of_an_earlier_version_has_no_inverted_file(gallery: Path, build_index, by_cells):
    folder = build_index(gallery)
    manifest = read_manifest(folder)
    (folder / INVERTED_FILE).unlink()
    files = {name: facts for name, facts in manifest.files.items() if name != INVERTED_FILE}
    (folder / "manifest.json").write_text(manifest.model_copy(update={"files": files}).model_dump_json())
    assert make_gallery(open_generation(folder)).nearest(open_generation(folder).vectors[3], 1)[0].tolist() == [3]
    assert verify(folder.parent) == []


def _other_vectors(path: Path, table: np.ndarray, cells: Cells) -> None:
    path.unlink()
    write_inverted_file(path, table[:-1], replace(cells, of_row=cells.of_row[:-1]))


def _other_kind(path: Path, *_: object) -> None:
    faiss.write_index(faiss.IndexFlatIP(DIMENSIONS), str(path))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path, *_: path.write_bytes(b""),
        lambda path, *_: path.write_bytes(b"no index" * 100),
        lambda path, *_: path.write_bytes(path.read_bytes()[:1000]),
        lambda path, *_: path.unlink(),
        _other_vectors,
        _other_kind,
    ],
)
def test_an_inverted_file_that_cannot_be_used_is_replaced_in_memory(table, sorted_in, tmp_path: Path, damage, caplog):
    file = tmp_path / INVERTED_FILE
    write_inverted_file(file, table, sorted_in)
    damage(file, table, sorted_in)
    store = IvfStore(table, replace(sorted_in, inverted_file=file))
    assert "opening the index takes longer" in caplog.text
    assert store.search(table[7], 1, range(len(table)))[0].tolist() == [7]


def test_a_full_disk_is_an_error_of_the_operating_system(table, sorted_in, tmp_path: Path, monkeypatch):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(HashedFile, "write", full)
    with pytest.raises(OSError, match="No space left"):
        write_inverted_file(tmp_path / INVERTED_FILE, table, sorted_in)
