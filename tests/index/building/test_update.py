"""An update describes only new images, and equals a full build."""

import json
import os
import random
import shutil
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from index.building import build as module
from index.building import describe_all as describe
from index.building import journal
from index.building.build import BuildOptions
from index.building.thread_executor import ThreadExecutor
from index.gallery import open_gallery
from index.operations.folder_changes import FolderChanges, find_folder_changes
from index.operations.verify import verify
from index.storage import blobs as blobs
from index.storage.gallery_rules import GalleryRules
from index.storage.generation import current_folder, generations
from index.storage.manifest import RENAMED_SINCE_4, read_manifest
from index.storage.skipped_files import read_skipped
from retrieval.descriptors.embedder import Embedder
from retrieval.errors import GalleryProblem
from retrieval.images.decode import load_image
from retrieval.networks.imagenet_classes import Classifier
from retrieval.search import RANKINGS, search
from retrieval.types import Box, Region, quiet
from tests.same import assert_same_index


class Counting:
    """The tiny network, and a count of the images it has seen."""

    def __init__(self, embedder: Embedder) -> None:
        self.seen = 0
        self._run = embedder.run
        self.embedder = replace(embedder, run=self)

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        self.seen += len(pixels)
        return self._run(pixels)


@pytest.fixture
def counting(tiny_embedder: Embedder) -> Counting:
    return Counting(tiny_embedder)


@pytest.fixture
def many(tmp_path: Path, draw) -> Path:
    """Forty images, so that a few more do not outgrow the whitening."""
    folder = tmp_path / "many"
    (folder / "below").mkdir(parents=True)
    for number in range(40):
        Pillow.fromarray(draw(number, 64, 48)).save(folder / (f"below/{number}.png" if number % 4 else f"{number}.png"))
    return folder


def age(folder: Path, seconds: float = 1000) -> None:
    """Set old mtimes, so that the build trusts size and time."""
    for path in folder.rglob("*.*"):
        os.utime(path, (time.time() - seconds, path.stat().st_mtime - seconds))


def test_r41_adding_changing_and_removing_gives_what_a_full_build_gives(
    many: Path, build_index, counting: Counting, draw, monkeypatch
):
    age(many)
    build_index(many, embedder=counting.embedder)
    first = counting.seen
    Pillow.fromarray(draw(100, 64, 48)).save(many / "a new one.png")
    Pillow.fromarray(draw(101, 64, 48)).save(many / "below" / "zz.png")
    Pillow.fromarray(draw(102, 64, 48)).save(many / "8.png")
    (many / "below" / "5.png").unlink()
    updated = open_gallery(build_index(many, embedder=counting.embedder, workers=2))
    assert first == 40 and counting.seen == 43
    changes = updated.manifest.changes
    assert (changes.added, changes.changed, changes.removed, changes.kept) == (2, 1, 1, 38)
    assert verify(updated.folder.parent) == []

    monkeypatch.setattr(describe, "learn_whitening", lambda *_: updated.whitening)  # the same whitening
    everything = open_gallery(build_index(many, into="other", workers=2))
    assert_same_index(updated, everything)
    for image in updated.tables.ids:
        picture = load_image(updated.file(image))
        query = counting.embedder.query(picture, Box.whole(picture), updated.whitening)
        for ranking in RANKINGS:
            assert search(query, updated, ranking) == search(query, everything, ranking)


def test_a_second_build_finds_nothing_to_do(many: Path, build_index, counting: Counting):
    (many / "cut.jpg").write_bytes(b"no picture")
    folder = build_index(many, embedder=counting.embedder)
    before = {path: path.stat().st_mtime_ns for path in folder.parent.rglob("*")}
    assert build_index(many, embedder=counting.embedder) == folder
    assert counting.seen == 40
    assert {path: path.stat().st_mtime_ns for path in folder.parent.rglob("*")} == before


def test_a_full_build_describes_everything_again(many: Path, build_index, counting: Counting):
    build_index(many, embedder=counting.embedder)
    assert build_index(many, embedder=counting.embedder, full=True).name.startswith("gen-000002")
    assert counting.seen == 80


def test_moved_copied_and_touched_files_are_read_but_not_described(many: Path, build_index, counting: Counting):
    age(many)
    first = open_gallery(build_index(many, embedder=counting.embedder))
    (many / "12.png").rename(many / "moved.png")
    (many / "copy.png").write_bytes((many / "16.png").read_bytes())
    (many / "20.png").touch()
    second = open_gallery(build_index(many, embedder=counting.embedder))
    assert counting.seen == 40 and verify(second.folder.parent) == []
    assert set(second.tables.ids) - set(first.tables.ids) == {"moved.png", "copy.png"}
    assert second.regions("moved.png") == first.regions("12.png")
    assert second.thumbnail("copy.png") == first.thumbnail("16.png")
    assert second.file("moved.png").exists() and second.entry("20.png").mtime == (many / "20.png").stat().st_mtime
    assert build_index(many, embedder=counting.embedder) == second.folder  # the new facts are stored now


def test_a_recent_change_that_keeps_size_and_mtime_is_noticed(many: Path, build_index, draw):
    bmp = many / "x.bmp"
    Pillow.fromarray(draw(200, 64, 48)).save(bmp)
    os.utime(bmp, (time.time() + 3600,) * 2)
    before = open_gallery(build_index(many))
    facts = bmp.stat()
    assert facts.st_mtime > before.manifest.created.timestamp()  # this build cannot trust it yet
    Pillow.fromarray(draw(201, 64, 48)).save(bmp)
    os.utime(bmp, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    after = open_gallery(build_index(many))
    assert after.entry("x.bmp").sha256 != before.entry("x.bmp").sha256
    assert after.manifest.changes.changed == 1


def test_skipped_files_are_not_retried_until_they_change(many: Path, build_index, pool, monkeypatch, draw):
    (many / "bad.jpg").write_bytes(b"no picture")
    age(many)
    build_index(many)
    decoded = []
    decode_source = pool.decode_source
    monkeypatch.setattr(
        pool, "decode_source", lambda path, *rest: (decoded.append(path.name), decode_source(path, *rest))[1]
    )
    Pillow.fromarray(draw(100, 64, 48)).save(many / "new.png")
    folder = build_index(many)
    assert decoded == ["new.png"] and [s.file for s in read_skipped(folder)] == ["bad.jpg"]
    Pillow.fromarray(draw(101, 64, 48)).save(many / "bad.jpg", "JPEG")
    assert read_skipped(build_index(many)) == [] and decoded[-1] == "bad.jpg"


def test_a_doubled_gallery_learns_a_new_whitening(many: Path, build_index, counting: Counting, draw):
    age(many)
    build_index(many, embedder=counting.embedder)
    for number in range(40):
        Pillow.fromarray(draw(300 + number, 64, 48)).save(many / f"more-{number}.png")
    manifest = read_manifest(build_index(many, embedder=counting.embedder))
    assert counting.seen == 40 + 80 and manifest.learned == 80


def test_a_changed_recipe_causes_a_full_build(many: Path, build_index, make_embedder):
    age(many)
    build_index(many)
    folder = build_index(many, embedder=make_embedder(grid_levels=3))
    assert read_manifest(folder).recipe.grid_levels == 3 and verify(folder.parent) == []
    assert read_manifest(folder).changes.kept == 40  # counts unchanged files, though all were described again


def test_more_keypoints_cause_a_full_build_with_a_notice(many: Path, build_index, make_embedder, draw):
    age(many)
    bare, detailed = (Counting(make_embedder(keypoints=count)) for count in (0, 500))
    build_index(many, embedder=bare.embedder)
    Pillow.fromarray(draw(100, 64, 48)).save(many / "new.png")
    said = []

    def notify(sentence: str) -> None:
        said.append((sentence, detailed.seen))

    updated = open_gallery(build_index(many, embedder=detailed.embedder, notify=notify))
    assert said == [("All 41 pictures are read again: keypoints changed from 0 to 500.", 0)] and detailed.seen == 41
    assert all(len(updated.keypoints(number)[0]) for number in range(updated.image_count))
    everything = open_gallery(build_index(many, embedder=detailed.embedder, into="other"))
    assert_same_index(updated, everything)

    said.clear()
    assert build_index(many, embedder=detailed.embedder, notify=notify) == updated.folder and not said
    Pillow.fromarray(draw(101, 64, 48)).save(many / "another.png")
    detailed.seen = 0
    build_index(many, embedder=detailed.embedder, notify=notify)
    assert detailed.seen == 1 and not said


def test_fewer_keypoints_cause_a_full_build(many: Path, build_index, make_embedder):
    age(many)
    build_index(many)
    fewer = open_gallery(build_index(many, embedder=make_embedder(keypoints=5)))
    assert max(len(fewer.keypoints(number)[0]) for number in range(fewer.image_count)) == 5


def test_an_index_of_format_4_is_read_again_once(many: Path, build_index, counting: Counting):
    age(many)
    file = build_index(many) / "manifest.json"
    manifest = json.loads(file.read_bytes())
    recipe = manifest["recipe"]
    del recipe["keypoints"]
    for old, new in RENAMED_SINCE_4.items():
        recipe[old] = recipe.pop(new)
    manifest["null"] = manifest.pop("background")
    file.write_text(json.dumps({**manifest, "format": 4}))
    assert open_gallery(file.parent).manifest.recipe.keypoints is None
    said = []
    updated = build_index(many, embedder=counting.embedder, notify=said.append)
    assert counting.seen == 40 and read_manifest(updated).recipe.keypoints == 500
    assert said == [
        "All 40 pictures are read again: keypoints changed from an unknown number (index from an earlier version) "
        "to 500."
    ]
    assert build_index(many, notify=said.append) == updated and len(said) == 1


def test_the_notice_says_why_all_images_are_read_again(many: Path, build_index, make_embedder, draw):
    age(many)
    said = []
    build_index(many, notify=said.append)
    build_index(many, notify=said.append, full=True)
    build_index(many, notify=said.append, embedder=make_embedder(side=64, keypoints=9))
    build_index(many, notify=said.append, full=True)
    for number in range(40):
        Pillow.fromarray(draw(300 + number, 64, 48)).save(many / f"more-{number}.png")
    build_index(many, notify=said.append)
    changes = "image side changed from {} to {}; keypoints changed from {} to {}"
    assert said == [
        "All 40 pictures are read again: a full build was requested.",
        f"All 40 pictures are read again: {changes.format(128, 64, 500, 9)}.",
        f"All 40 pictures are read again: a full build was requested; {changes.format(64, 128, 9, 500)}.",
        "All 80 pictures are read again: the whitening was learned from 40 pictures, and the gallery now has 80.",
    ]


@pytest.mark.parametrize("share", [0.1, 0.6])
def test_unchanged_blob_files_are_not_written_again(many: Path, build_index, monkeypatch, draw, share: float):
    monkeypatch.setattr(blobs, "PICTURES_PER_FILE", 10)
    monkeypatch.setattr(blobs, "FEWEST", 5)
    age(many)
    first = build_index(many)
    names = open_gallery(first).tables.ids
    for image in names[: int(10 * share)]:  # of the first of four files
        (many / image).unlink()
    Pillow.fromarray(draw(400, 64, 48)).save(many / "zz.png")
    second = open_gallery(build_index(many))
    shared = {
        path.relative_to(first).as_posix() for path in first.rglob("*") if path.is_file() and path.stat().st_nlink == 2
    }
    kept = range(4) if share < 0.5 else range(1, 4)
    assert shared == {f"thumbs/{n:04d}.jpgs" for n in kept} | {f"keypoints/{n:04d}.bin" for n in kept}
    assert verify(second.folder.parent) == []
    for image in second.tables.ids:
        assert second.thumbnail(image)[:2] == b"\xff\xd8"


def test_damaged_files_are_not_reused(many: Path, build_index, counting: Counting, monkeypatch):
    monkeypatch.setattr(blobs, "PICTURES_PER_FILE", 10)
    monkeypatch.setattr(blobs, "FEWEST", 5)
    age(many)
    first = build_index(many, embedder=counting.embedder)
    data = bytearray((first / "thumbs" / "0002.jpgs").read_bytes())
    data[100] ^= 1
    (first / "thumbs" / "0002.jpgs").write_bytes(data)
    assert verify(first.parent) != []
    second = build_index(many, embedder=counting.embedder)
    assert counting.seen == 50 and verify(second.parent) == []


def test_r42_an_interrupted_build_goes_on_and_ends_as_if_nothing_had_been(
    many: Path, build_index, counting: Counting, monkeypatch, tmp_path: Path, pool
):
    whole = open_gallery(build_index(many, into="whole"))
    monkeypatch.setattr(journal, "SAVE_EVERY", 0.0)

    def interrupted(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("Reading pictures", 24):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        module.build(many, tmp_path / "index", ThreadExecutor(counting.embedder, pool), interrupted)
    assert not (tmp_path / "index" / "CURRENT").exists() and not list((tmp_path / "index").glob("tmp-*"))
    before = counting.seen
    resumed = open_gallery(build_index(many, embedder=counting.embedder))
    assert 40 <= counting.seen <= before + 40 - 23 and before < 32
    assert_same_index(resumed, whole)


def test_r42_the_same_after_the_whitening_was_learned(
    many: Path, build_index, counting: Counting, monkeypatch, tmp_path: Path, pool
):
    monkeypatch.setattr(describe, "SAMPLE", 60)  # reached before the last image
    monkeypatch.setattr(journal, "SAVE_EVERY", 0.0)
    whole = open_gallery(build_index(many, into="whole"))

    def interrupted(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("Reading pictures", 30):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        module.build(many, tmp_path / "index", ThreadExecutor(counting.embedder, pool, 2), interrupted)
    resumed = open_gallery(build_index(many))
    assert 0 < resumed.manifest.learned < 30
    assert_same_index(resumed, whole)


def test_a_build_interrupted_while_it_whitens_images_resumes(
    many: Path, build_index, counting: Counting, monkeypatch, tmp_path: Path, pool
):
    whole = open_gallery(build_index(many, into="whole"))
    calls, drop_duplicate_regions = iter(range(40)), journal.drop_duplicate_regions

    def interrupted(*given):
        if next(calls) == 20:
            raise KeyboardInterrupt
        return drop_duplicate_regions(*given)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(journal, "drop_duplicate_regions", interrupted)
        module.build(many, tmp_path / "index", ThreadExecutor(counting.embedder, pool), quiet)
    resumed = open_gallery(build_index(many, embedder=counting.embedder))
    assert counting.seen == 40
    assert_same_index(resumed, whole)


@pytest.mark.parametrize("change", [{"grid_levels": 3}, {"keypoints": 0}])
def test_a_journal_with_another_key_is_discarded(many: Path, build_index, counting: Counting, tmp_path, pool, change):
    def interrupted(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("Reading pictures", 24):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        module.build(many, tmp_path / "index", ThreadExecutor(counting.embedder, pool), interrupted)
    counting.seen = 0
    other = replace(counting.embedder, recipe=replace(counting.embedder.recipe, **change))
    folder = build_index(many, embedder=other)
    assert counting.seen == 40 and verify(folder.parent) == []


def test_the_notice_of_a_resumed_full_build_counts_finished_images(
    many: Path, build_index, counting, tmp_path, pool, monkeypatch
):
    monkeypatch.setattr(journal, "SAVE_EVERY", 0.0)
    age(many)
    build_index(many)

    def interrupted(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("Reading pictures", 24):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        module.build(
            many, tmp_path / "index", ThreadExecutor(counting.embedder, pool), interrupted, BuildOptions(full=True)
        )
    said = []
    build_index(many, full=True, notify=said.append)
    assert said == [
        "All 40 pictures are read again: a full build was requested. The last build has read 23 of them already."
    ]


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + bytes(200)])
def test_a_damaged_journal_is_discarded(many: Path, build_index, tmp_path: Path, content: bytes):
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "journal.sqlite").write_bytes(content)
    assert verify(build_index(many).parent) == []


@pytest.mark.parametrize("full", [False, True])
def test_r21_a_gallery_that_is_suddenly_empty_is_not_believed(many: Path, build_index, full: bool):
    before = build_index(many)
    many.rename(many.with_name("elsewhere"))
    many.mkdir()
    with pytest.raises(GalleryProblem, match=r"index holds 40\. Check that its disk is connected"):
        build_index(many, full=full)
    many.rmdir()
    with pytest.raises(GalleryProblem, match=r"The gallery folder .* does not exist"):
        build_index(many, full=full)
    assert current_folder(before.parent) == before


def test_r21_a_gallery_that_has_lost_most_is_believed_only_when_that_is_meant(many: Path, build_index):
    before = build_index(many)
    for number in range(40):
        if number % 4:
            (many / "below" / f"{number}.png").unlink()
    with pytest.raises(GalleryProblem, match=r"Only 10 of 40 indexed pictures are left .* build with --full"):
        build_index(many)
    assert current_folder(before.parent) == before
    assert read_manifest(build_index(many, full=True)).changes.removed == 30


def test_r65_pictures_that_are_left_out_now_are_not_lost(many: Path, build_index):
    """An earlier program has indexed the thumbnails of a NAS: more than half of all pictures."""
    (many / "@eaDir").mkdir()
    for path in sorted((many / "below").glob("*.png"))[:30]:
        path.rename(many / "@eaDir" / path.name)
    before = build_index(many, rules=GalleryRules(("!@eaDir/",)))
    assert len(open_gallery(before).tables.ids) == 40 and len(find_folder_changes(before).left_out) == 30
    manifest = read_manifest(build_index(many))
    assert manifest.changes.removed == 30 and manifest.left_out == "Left out: 1 system folder (@eaDir)."


def test_r65_what_is_left_out_is_said_though_no_picture_has_changed(gallery: Path, build_index):
    before = build_index(gallery)
    (gallery / "@eaDir").mkdir()
    after = build_index(gallery)
    assert read_manifest(after).left_out == "Left out: 1 system folder (@eaDir)." and build_index(gallery) == after
    (gallery / "@eaDir").rmdir()
    assert read_manifest(before).left_out == read_manifest(build_index(gallery)).left_out == ""


def test_r65_small_pictures_are_left_out_and_come_back_with_the_setting(gallery: Path, build_index, draw):
    for number in range(3):
        Pillow.fromarray(draw(70 + number, 60, 40)).save(gallery / f"small{number}.png")
    (gallery / "empty.jpg").touch()
    everything = open_gallery(build_index(gallery)).tables.ids
    folder = build_index(gallery, rules=GalleryRules(min_side=50))
    assert find_folder_changes(folder, rules=GalleryRules(min_side=50)) == FolderChanges([], [], [])
    small = [file for file in read_skipped(folder) if file.reason == "below_min_side"]
    assert [file.file for file in small] == ["small0.png", "small1.png", "small2.png"]
    assert small[0].sentence.startswith(
        "small0.png is 60 x 40 pixels; pictures with a side below 50 pixels are left out"
    )
    assert build_index(gallery, rules=GalleryRules(min_side=50)) == folder
    assert find_folder_changes(folder).new == ["small0.png", "small1.png", "small2.png"]
    assert open_gallery(build_index(gallery)).tables.ids == everything
    assert find_folder_changes(build_index(gallery), rules=GalleryRules(min_side=50)).left_out == [
        "small0.png",
        "small1.png",
        "small2.png",
    ]


def test_r65_an_index_inside_the_gallery_does_not_index_itself(gallery: Path, build_index, tmp_path: Path):
    folder = build_index(gallery, into="gallery/index")
    shutil.copy(gallery / "1.png", folder.parent / "copy.png")
    after = build_index(gallery, into="gallery/index")
    assert len(open_gallery(after).tables.ids) == 8 and after == folder
    assert find_folder_changes(after) == FolderChanges([], [], [])


def test_many_newly_unreadable_images_stop_an_update(many: Path, build_index):
    before = build_index(many)
    for path in random.Random(0).sample(sorted(many.rglob("*.png")), 12):
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(GalleryProblem, match=r"12 of 40 indexed pictures .* cannot be read any more"):
        build_index(many)
    assert current_folder(before.parent) == before
    folder = build_index(many, full=True)
    assert read_manifest(folder).counts.images == 28
    assert [path.name[:10] for path in generations(folder.parent)] == ["gen-000001", "gen-000002"]


def test_detector_and_classifier_output_is_stored_and_reused(many: Path, build_index, make_embedder, draw):
    """Region scores, labels and kinds equal those of a full build, whether reused, resumed or new."""
    weight = np.random.default_rng(1).normal(size=(1000, 16)).astype(np.float32)
    embedder = replace(
        make_embedder(regions=("whole", "detector", "grid"), detectors=("", "", "")),
        classifier=Classifier(weight, np.zeros(1000, np.float32)),
        detectors={"detector": lambda image: [Region(Box(4, 4, 60, 50), "detector", float(image.mean() / 255), "cup")]},
    )
    build_index(many, embedder=embedder)
    Pillow.fromarray(draw(300, 64, 48)).save(many / "new.png")
    updated = open_gallery(build_index(many, embedder=embedder))
    full = open_gallery(build_index(many, embedder=embedder, full=True))
    assert updated.manifest.changes.kept > 0 == full.manifest.changes.added
    found = [region for image in updated.tables.ids for region in updated.regions(image) if region.label == "cup"]
    assert len(found) == len(updated.tables.ids) and len({region.score for region in found}) > 3
    class_scores = updated.class_scores
    assert class_scores.classes.shape == class_scores.shares.shape == (updated.region_count, embedder.classes)
    assert (class_scores.shares[:, 0] > 0).all() and (class_scores.classes >= 0).all()
    for image in ("new.png", "0.png"):
        assert updated.regions(image) == full.regions(image)
        rows = [gallery.rows_of(gallery.number(image)) for gallery in (updated, full)]
        assert np.array_equal(updated.class_scores[rows[0]].classes, full.class_scores[rows[1]].classes)
        assert np.array_equal(updated.class_scores[rows[0]].shares, full.class_scores[rows[1]].shares)


def test_the_date_taken_is_kept_when_a_picture_is_renamed_and_read_again_when_it_changes(
    gallery: Path, build_index, draw
):
    def photograph(name: str, written: str) -> None:
        exif = Pillow.Exif()
        exif[0x010F], exif.get_ifd(0x8769)[0x9003] = "maker", written
        Pillow.fromarray(draw(50, 160, 120)).save(gallery / name, exif=exif)

    photograph("50.jpg", "2019:07:14 21:05:59")
    first = open_gallery(build_index(gallery))
    assert first.entry("50.jpg").taken == datetime(2019, 7, 14, 21, 5, 59)
    assert first.entry("1.png").taken is None
    (gallery / "50.jpg").rename(gallery / "below" / "51.jpg")
    assert open_gallery(build_index(gallery)).entry("below/51.jpg").taken == first.entry("50.jpg").taken
    photograph("below/51.jpg", "2021:01:01 00:00:00")
    assert open_gallery(build_index(gallery)).entry("below/51.jpg").taken == datetime(2021, 1, 1)
