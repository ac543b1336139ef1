"""A build is deterministic, indexes every usable image, and on failure leaves the served index unchanged."""

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from threadpoolctl import threadpool_info

from index.building import assemble
from index.building import build as module
from index.building import describe_all as describe
from index.building.thread_executor import ThreadExecutor
from index.gallery import open_gallery
from index.operations.verify import verify
from index.storage import blobs as blobs
from index.storage import publishing
from index.storage.folder_scan import scan_gallery
from index.storage.generation import current_folder
from index.storage.manifest import read_manifest
from index.storage.skipped_files import read_skipped, unread_formats
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.whitening import learn_whitening
from retrieval.errors import BuildCancelled, DiskFull, GalleryProblem
from retrieval.images.decode import load_image
from retrieval.images.file_kinds import PACKAGES
from retrieval.optional_packages import OptionalPackage
from retrieval.ranking.keypoints import find_keypoints


def test_one_bad_file_is_skipped_and_the_others_are_indexed(gallery: Path, build_index, draw):
    good = open_gallery(build_index(gallery, into="good"))
    jpeg = io.BytesIO()
    Pillow.fromarray(draw(50)).save(jpeg, "JPEG")
    bad = {
        "cut.jpg": (jpeg.getvalue()[: len(jpeg.getvalue()) // 2], "truncated"),
        "empty.png": (b"", "empty"),
        "text.webp": (b"no picture at all", "not_an_image"),
    }
    for name, (content, _) in bad.items():
        (gallery / name).write_bytes(content)
    (gallery / "nowhere.jpg").symlink_to(gallery / "gone")
    folder = build_index(gallery)
    skipped = {s.file: s for s in read_skipped(folder)}
    assert {name: s.reason for name, s in skipped.items()} == {
        **{name: reason for name, (_, reason) in bad.items()},
        "nowhere.jpg": "dangling",
    }
    assert all(name in s.sentence and s.sentence.endswith(".") for name, s in skipped.items())
    assert read_manifest(folder).counts.skipped == 4
    with_bad = open_gallery(folder)
    assert with_bad.tables.ids == good.tables.ids and verify(folder.parent) == []


def test_r60_a_gallery_of_pictures_that_cannot_be_read_yet(tmp_path: Path, build_index):
    folder = tmp_path / "phone"
    folder.mkdir()
    for name in ("1.PSD", "2.psd", "3.svg"):
        (folder / name).write_bytes(b"8BPS")
    with pytest.raises(
        GalleryProblem, match=r"contains only pictures that Boxfind cannot read yet: 2 Photoshop, 1 SVG\."
    ):
        build_index(folder)


def test_r60_a_gallery_of_pictures_whose_package_is_missing(tmp_path: Path, build_index, monkeypatch):
    folder = tmp_path / "phone"
    folder.mkdir()
    for name in ("1.HEIC", "2.heic", "3.mp4"):
        (folder / name).write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    for kind, package in (("HEIC", "pillow-heif"), ("video", "av")):
        monkeypatch.setitem(PACKAGES, kind, OptionalPackage(package, "no_such_module", ""))
    with pytest.raises(GalleryProblem, match=r"2 files need the package pillow-heif; run `pip install .*1 file needs"):
        build_index(folder)


def test_r60_pictures_are_indexed_whatever_their_suffix(gallery: Path, build_index):
    before = open_gallery(build_index(gallery)).tables.ids
    (gallery / "1.png").rename(gallery / "1.HEIC")
    (gallery / "2.png").rename(gallery / "2")
    (gallery / "new.HEIC").write_bytes(b"8BPS")
    folder = build_index(gallery)
    assert len(open_gallery(folder).tables.ids) == len(before) and {"1.HEIC", "2"} <= set(
        open_gallery(folder).tables.ids
    )
    assert unread_formats(read_skipped(folder)) == "1 HEIC" and build_index(gallery) == folder


def test_a_picture_that_vanishes_during_the_build_is_skipped(gallery: Path, build_index, monkeypatch):
    def found_and_lost(folder: Path, *rules: object):
        scan = scan_gallery(folder, *rules)
        (folder / "3.png").unlink()
        return scan

    monkeypatch.setattr(module, "scan_gallery", found_and_lost)
    assert [(s.file, s.reason) for s in read_skipped(build_index(gallery))] == [("3.png", "missing")]


def test_an_image_with_an_invalid_descriptor_is_skipped(gallery: Path, build_index, tiny_embedder):
    dark = load_image(gallery / "2.png")[0, 0]

    def blind(pixels: np.ndarray) -> tuple[np.ndarray]:
        (layer,) = tiny_embedder.run(pixels)
        return (layer * np.nan if np.array_equal(pixels[0, 0, 0], dark) else layer,)

    folder = build_index(gallery, embedder=Embedder(tiny_embedder.recipe, blind))
    assert [(s.file, s.reason) for s in read_skipped(folder)] == [("2.png", "bad_vector")]
    assert verify(folder.parent) == []


def test_a_gallery_of_flat_pictures_stores_only_unit_vectors(tmp_path: Path, build_index):
    folder = tmp_path / "flat"
    folder.mkdir()
    for number in range(5):
        Pillow.new("RGB", (64, 64), (0, 0, 0) if number == 4 else (90, 90, 90)).save(folder / f"{number}.png")
    assert verify(build_index(folder).parent) == []


def test_a_build_without_usable_images_leaves_the_served_index_unchanged(gallery: Path, build_index, tmp_path: Path):
    before = build_index(gallery)
    (tmp_path / "none").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.jpg").touch()
    for folder, says in {
        "none": "There are no pictures in",
        "gone": r"The gallery folder .* does not exist",
        "bad": r"No picture in .* can be used \(files skipped: 1\)\. The first: a\.jpg is empty",
    }.items():
        with pytest.raises(GalleryProblem, match=says):
            build_index(tmp_path / folder)
        assert current_folder(before.parent) == before
        assert verify(before.parent) == [] and not list(before.parent.glob("tmp-*"))


@pytest.mark.parametrize(
    ("where", "step"),
    [
        (assemble, "write_whitening"),
        (assemble, "new_vectors"),
        (assemble, "write_tables"),
        (assemble, "write_skipped"),
        (assemble, "find_neighbours"),
        (assemble, "write_neighbours"),
        (describe, "learn_whitening"),
        (publishing, "point_current_at"),
    ],
)
def test_r37_a_full_disk_at_any_step_leaves_what_is_served_alone(gallery: Path, build_index, monkeypatch, where, step):
    before = build_index(gallery)
    monkeypatch.setattr(where, step, lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(DiskFull, match=r"The disk is full: .* free\. Free some space"):
        build_index(gallery, full=True)
    assert current_folder(before.parent) == before
    assert sorted(p.name for p in before.parent.iterdir()) == ["CURRENT", before.name, "journal.sqlite"]
    monkeypatch.undo()
    assert verify(build_index(gallery, full=True).parent) == []
    assert not (before.parent / "journal.sqlite").exists()


def test_the_index_does_not_depend_on_the_number_of_workers(gallery: Path, build_index):
    one, other, again = (
        open_gallery(build_index(gallery, workers=workers, into=f"by-{n}")) for n, workers in enumerate((1, 3, 3))
    )
    for gallery_built in (other, again):
        assert gallery_built.tables.ids == one.tables.ids
        assert np.array_equal(gallery_built.tables.boxes, one.tables.boxes)
        for name in ("vectors.npy", "neighbours.npz"):
            assert (gallery_built.folder / name).read_bytes() == (one.folder / name).read_bytes()
        assert gallery_built.background == one.background


def test_later_images_use_the_whitening_of_the_sample(gallery: Path, build_index, monkeypatch):
    everything = open_gallery(build_index(gallery, into="everything"))
    monkeypatch.setattr(describe, "SAMPLE", 30)  # reached before the last of the eight images
    sampled = open_gallery(build_index(gallery, into="sampled", workers=3))
    assert sampled.tables.ids == everything.tables.ids and verify(sampled.folder.parent) == []
    assert not np.array_equal(sampled.whitening.mean, everything.whitening.mean)
    again = open_gallery(build_index(gallery, into="sampled-again"))
    assert np.array_equal(again.whitening.mean, sampled.whitening.mean)


def test_thumbnails_show_their_images(gallery: Path, build_index, draw, monkeypatch):
    Pillow.fromarray(draw(60, 1200, 700)).save(gallery / "large.png")
    monkeypatch.setattr(blobs, "PICTURES_PER_FILE", 4)
    built = open_gallery(build_index(gallery))
    assert len(list((built.folder / "thumbs").iterdir())) == 3
    for image in built.tables.ids:
        original = load_image(built.file(image))
        with Pillow.open(io.BytesIO(built.thumbnail(image))) as small:
            assert small.format == "JPEG" and max(small.size) == min(320, max(original.shape[:2]))
            expected = np.asarray(Pillow.fromarray(original).resize(small.size), float)
            assert np.abs(np.asarray(small, float) - expected).mean() < 12


def test_odd_file_names_are_indexed_and_resolve_to_their_files(gallery: Path, build_index, draw):
    names = ["é.png".encode(), "e\u0301.png".encode(), b"\xff.png", b"line\nbreak.png", "😀.png".encode()]
    for number, name in enumerate(names):
        Pillow.fromarray(draw(70 + number)).save(gallery / os.fsdecode(name))
    built = open_gallery(build_index(gallery))
    assert len(built.tables.ids) == 8 + len(names)
    assert {os.fsencode(built.file(image)) for image in built.tables.ids} >= {
        os.fsencode(gallery) + b"/" + name for name in names
    }
    for image in built.tables.ids:
        assert built.entry(image).bytes == built.file(image).stat().st_size


def test_progress_counts_every_image(gallery: Path, tmp_path: Path, tiny_embedder, pool):
    told = []
    module.build(
        gallery, tmp_path / "index", ThreadExecutor(tiny_embedder, pool, 2), lambda *progress: told.append(progress)
    )
    assert [(done, total) for stage, done, total in told if stage == "Reading pictures"] == [
        (n, 8) for n in range(1, 9)
    ]
    assert list(dict.fromkeys(stage for stage, _, _ in told))[-2:] == ["Writing the index", "Linking similar regions"]


def test_keypoints_match_their_images(gallery: Path, build_index, draw, monkeypatch):
    Pillow.fromarray(draw(60, 1200, 700)).save(gallery / "large.png")
    monkeypatch.setattr(blobs, "PICTURES_PER_FILE", 4)
    built = open_gallery(build_index(gallery))
    assert len(list((built.folder / "keypoints").iterdir())) == 3
    for number, image in enumerate(built.tables.ids):
        original = load_image(built.file(image))
        expected = find_keypoints(original)
        keypoints, size = built.keypoints(number)
        assert size == (original.shape[1], original.shape[0]) and len(expected) > 5
        assert np.array_equal(keypoints.descriptors, expected.descriptors)
        assert keypoints.points == pytest.approx(expected.points, abs=0.01)


def test_duplicate_regions_are_dropped(tmp_path: Path, build_index, make_embedder):
    """One image is uniform, the others only in their left half: the whole and distinct regions are kept."""
    folder = tmp_path / "halves"
    folder.mkdir()
    for number in range(4):
        picture = np.full((64, 128, 3), 40 * number + 50, np.uint8)
        picture[:, 64:] = np.random.default_rng(number).integers(0, 256, (64, 64, 3)) if number else picture[0, 0]
        Pillow.fromarray(picture).save(folder / f"{number}.png")
    all_kept = open_gallery(
        build_index(folder, into="all", embedder=make_embedder(grid_levels=4, dedup_similarity=2.0))
    )
    kept = open_gallery(build_index(folder, into="kept", embedder=make_embedder(grid_levels=4, dedup_similarity=0.95)))
    every = len(all_kept.regions("0.png"))
    assert [len(all_kept.regions(image)) for image in all_kept.tables.ids] == [every] * 4
    for image in kept.tables.ids:
        regions = kept.regions(image)
        assert regions[0] == all_kept.regions(image)[0] and regions[0].kind == "whole"
        assert [region for region in all_kept.regions(image) if region in regions] == regions
        rows = np.array(kept.tables.rows_of(kept.tables.numbers[image]))
        similar = np.tril(kept.vectors(rows) @ kept.vectors(rows).T, -1)
        assert similar.max() <= 0.95 + 1e-6
    assert len(kept.regions("0.png")) == 1 < len(kept.regions("1.png")) < every
    assert kept.region_count == kept.manifest.counts.regions and verify(kept.folder.parent) == []


def test_r74_no_stage_uses_blas_threads_that_wait_for_each_other(gallery: Path, tmp_path: Path, tiny_embedder, pool):
    used: dict[str, set[int]] = {}

    def progress(stage: str, done: int, total: int) -> None:
        used[stage] = {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    def learn(*given):
        progress("Learning", 0, 0)
        return learn_whitening(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(describe, "learn_whitening", learn)
        module.build(gallery, tmp_path / "index", ThreadExecutor(tiny_embedder, pool, 3), progress)
    assert {"Reading pictures", "Learning", "Writing the index", "Linking similar regions"} <= used.keys()
    assert all(counts == {1} for counts in used.values()), used


def test_a_cancelled_build_leaves_no_thread_waiting_for_the_pool(gallery: Path, tmp_path: Path, tiny_embedder, pool):
    """The executor must stop first: a thread waiting for a stopped pool would wait forever."""
    decoding: list[Path] = []

    class Slow:
        def decode_source(self, path: Path, *more: object) -> Iterator[object]:
            decoding.append(path)
            time.sleep(0.2)
            try:
                yield from pool.decode_source(path, *more)
            finally:
                decoding.remove(path)

    def cancelled(stage: str, done: int, total: int) -> None:
        if done:
            raise BuildCancelled("Cancelled.")

    with pytest.raises(BuildCancelled) as caught:
        module.build(gallery, tmp_path / "index", ThreadExecutor(tiny_embedder, Slow(), 2), cancelled)
    assert caught.tb and not decoding
