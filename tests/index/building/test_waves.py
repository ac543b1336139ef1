"""A build serves what it has read so far, and ends as if it had not."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from index.building import assemble, update_plan
from index.building import describe_all as describe
from index.building import waves as module
from index.building.describe_image import ImageTask, Result
from index.building.journal import DescribedImage, Journal
from index.building.thread_executor import ThreadExecutor
from index.building.wave_rule import WaveTimes
from index.building.waves import WaveOptions
from index.gallery import open_gallery
from index.operations.history import roll_back, stored_generations
from index.operations.verify import verify, verify_generation
from index.storage import blobs, publishing
from index.storage.folder_scan import Skipped
from index.storage.gallery_rules import GalleryRules
from index.storage.generation import current_folder, generations
from index.storage.manifest import Manifest, Wave, read_manifest
from index.storage.picture_contents import contents_of
from index.storage.publishing import waves
from index.storage.recent_finds import note_finds
from index.storage.skipped_files import read_skipped
from retrieval.errors import BuildCancelled, DiskFull, GalleryProblem
from retrieval.search import search
from retrieval.types import Box
from tests.documents import paged
from tests.same import assert_same_index
from tests.tiny import eight_pictures

EVERY = WaveTimes(first=1e-9, growth=1.0, share=1e9)
"""A wave after every picture."""


class Landed:
    """Looks at every wave when it is served."""

    def __init__(self, index_dir: Path, then: Callable[[int], None] = lambda _: None) -> None:
        self.index_dir, self.then = index_dir, then
        self.seen: list[dict[str, str]] = []
        self.found: list[int] = []
        self.shared: list[int] = []

    @property
    def options(self) -> WaveOptions:
        return WaveOptions(EVERY, self)

    @property
    def later(self) -> WaveOptions:
        """Keypoints are found when all pictures have been described."""
        return WaveOptions(EVERY, self, keypoints_later=True)

    def __call__(self, searchable: int, found: int) -> None:
        folder = current_folder(self.index_dir)
        gallery, manifest = open_gallery(folder), read_manifest(folder)
        assert verify(self.index_dir) == []
        assert manifest.wave is not None and manifest.wave.found == found
        assert searchable == len(gallery.tables.ids) == manifest.counts.images
        self.seen.append(dict(zip(gallery.tables.ids, gallery.tables.images["sha256"].to_pylist(), strict=True)))
        self.found.append(found)
        self.shared.append(sum(path.stat().st_nlink > 1 for path in (folder / "thumbs").iterdir()))
        self.then(len(self.seen))


def save(picture: np.ndarray, path: Path, mtime: float = 1e9) -> None:
    Pillow.fromarray(picture).save(path)
    os.utime(path, (mtime, mtime))


@pytest.fixture
def mixed(gallery: Path, draw) -> Path:
    """Eight pictures of two folders, a document of three pages, and a file that cannot be read."""
    (gallery / "scan.tiff").write_bytes(paged([draw(number) for number in (20, 21, 22)], "TIFF"))
    (gallery / "bad.jpg").write_bytes(b"no picture")
    for path in gallery.rglob("*.*"):
        os.utime(path, (1e9, 1e9))
    return gallery


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a generation; of the manifest without the time of the build."""
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    manifest = json.loads(files["manifest.json"])
    del manifest["created"]
    return files | {"manifest.json": json.dumps(manifest).encode()}


@pytest.mark.parametrize("sample", [30, 10**6], ids=["whitening in the middle", "whitening at the end"])
def test_r84_the_finished_index_is_bit_for_bit_that_of_a_build_without_waves(
    mixed: Path, build_index, tmp_path: Path, monkeypatch, sample: int
):
    monkeypatch.setattr(describe, "SAMPLE", sample)
    undisturbed = build_index(mixed, into="undisturbed")
    landed = Landed(tmp_path / "index")
    built = build_index(mixed, waves=landed.options)
    assert contents(built) == contents(undisturbed)
    assert len(landed.seen) > 6
    assert generations(tmp_path / "index") == [built] and not (tmp_path / "index" / "journal.sqlite").exists()


@pytest.fixture
def keypoints_later(monkeypatch) -> None:
    """Also for few pictures."""
    monkeypatch.setattr(module, "FEWEST", 1)


@pytest.mark.parametrize("sample", [30, 10**6], ids=["whitening in the middle", "whitening at the end"])
def test_r88_keypoints_that_are_found_later_are_the_same(
    keypoints_later, mixed: Path, build_index, tmp_path: Path, monkeypatch, sample: int
):
    """The whitening, too, which is refined with the keypoints of its pictures."""
    refined = []
    refine = describe.refine_whitening

    def seen(whitening, vectors, images, boxes, read):
        refined.append([read(image)[0].descriptors.tobytes() for image in np.unique(images)])
        return refine(whitening, vectors, images, boxes, read)

    monkeypatch.setattr(describe, "SAMPLE", sample)
    monkeypatch.setattr(describe, "refine_whitening", seen)
    undisturbed = build_index(mixed, into="undisturbed")
    without, whole = [], open_gallery(undisturbed)

    def look(_: int) -> None:
        wave = open_gallery(current_folder(tmp_path / "index"))
        without.append(wave.manifest.wave.without_keypoints)
        sizes = [(wave.entry(name).keypoints_bytes, whole.entry(name).keypoints_bytes) for name in wave.tables.ids]
        assert sum(size == found for size, found in sizes) >= len(sizes) - without[-1], "found, and not taken over"

    landed = Landed(tmp_path / "index", look)
    built = build_index(mixed, waves=landed.later)
    assert contents(built) == contents(undisturbed) and refined[0] == refined[1] and len(refined) == 2
    assert max(without) >= 3 and len(landed.seen[-1]) == 11, "all pictures can be searched before all have keypoints"
    assert sum(len(image) > 0 for image in refined[0]) > 3


@pytest.mark.parametrize(("sample", "taught"), [(30, 4), (10**6, 0)], ids=["whitening in the middle", "at the end"])
def test_r88_keypoints_of_what_searches_have_just_found_come_first(
    keypoints_later, mixed: Path, build_index, tmp_path: Path, monkeypatch, sample: int, taught: int
):
    """After those that the whitening is learned from. The index is the same whatever they are."""
    monkeypatch.setattr(describe, "SAMPLE", sample)
    shutil.copy2(mixed / "3.png", mixed / "3 copy.png")
    undisturbed, found = build_index(mixed, into="undisturbed"), []
    add = Journal.add_keypoints
    monkeypatch.setattr(Journal, "add_keypoints", lambda *given: (found.append(given[1]), add(*given))[1])
    whole = open_gallery(undisturbed)
    usual: list[str] = []
    for searched, first in (
        ([], []),
        (["below/7.png", "2.png"],) * 2,
        (["3.png", "0.png"], ["3 copy.png", "3.png", "0.png"]),
    ):
        shutil.rmtree(tmp_path / "index", ignore_errors=True)
        (tmp_path / "index").mkdir()
        note_finds(tmp_path / "index", contents_of([whole.entry(name).sha256 for name in searched]))
        found.clear()
        assert contents(build_index(mixed, waves=Landed(tmp_path / "index").later)) == contents(undisturbed)
        usual = usual or found.copy()
        before, after = usual[:taught], usual[taught:]
        first = [name for name in first if name in after]
        assert found == [*before, *first, *(name for name in after if name not in first)]


def test_all_pictures_can_be_searched_when_they_have_been_described(
    keypoints_later, mixed: Path, build_index, tmp_path: Path
):
    """However few were added since the wave before."""
    landed = Landed(tmp_path / "index")
    build_index(mixed, waves=WaveOptions(WaveTimes(first=1e-9, growth=100.0, share=1e9), landed, keypoints_later=True))
    assert list(map(len, landed.seen)) in ([1, 11], [3, 11])


def test_best_uses_more_details_from_wave_to_wave(keypoints_later, mixed: Path, build_index, monkeypatch):
    without = []
    real = module.publish_wave

    def published(folder: Path, index_dir: Path, manifest: Manifest) -> Path:
        without.append((manifest.counts.images, manifest.wave.without_keypoints))
        return real(folder, index_dir, manifest)

    monkeypatch.setattr(module, "publish_wave", published)
    build_index(mixed, waves=WaveOptions(EVERY, keypoints_later=True))
    described = [left for images, left in without if images == 11]
    assert len(described) > 2 and described == sorted(described, reverse=True) and described[-1] < described[0]


def test_r88_a_picture_that_changes_or_goes_before_its_keypoints_are_found_is_read_again(
    keypoints_later, mixed: Path, build_index, tmp_path: Path, draw
):
    def change(number: int) -> None:
        if number == len(landed.seen) and len(landed.seen[-1]) == 11 and (mixed / "1.png").exists():
            save(draw(33), mixed / "0.png", 1e9)
            (mixed / "1.png").unlink()

    landed = Landed(tmp_path / "index", change)
    built = open_gallery(build_index(mixed, waves=landed.later))
    assert not (mixed / "1.png").exists() and "1.png" not in built.tables.ids and len(built.tables.ids) == 10
    anew = open_gallery(build_index(mixed, into="anew"))
    same, other = built.entry("0.png"), anew.entry("0.png")
    assert (same.sha256, same.bytes, same.keypoints_bytes) == (other.sha256, other.bytes, other.keypoints_bytes)
    assert [one.file for one in read_skipped(built.folder)] == ["1.png", "bad.jpg"] and verify(tmp_path / "index") == []


@pytest.mark.parametrize("all_read", [False, True], ids=["while reading", "while details are found"])
def test_r88_a_drive_that_goes_while_its_pictures_are_read_takes_none_of_them_away(
    keypoints_later, mixed: Path, build_index, tmp_path: Path, all_read: bool
):
    undisturbed = build_index(mixed, into="undisturbed")

    def unplug(number: int) -> None:
        if number == len(landed.seen) and len(landed.seen[-1]) == (11 if all_read else 3) and any(mixed.iterdir()):
            mixed.rename(tmp_path / "elsewhere")
            mixed.mkdir()

    landed = Landed(tmp_path / "index", unplug)
    options = landed.later if all_read else landed.options
    with pytest.raises(GalleryProblem, match="has gone while its pictures were read"):
        build_index(mixed, waves=options)
    assert read_manifest(current_folder(tmp_path / "index")).counts.images == len(landed.seen[-1])
    mixed.rmdir()
    (tmp_path / "elsewhere").rename(mixed)
    assert contents(build_index(mixed, waves=options)) == contents(undisturbed)


def test_r88_a_document_of_which_the_drive_took_some_pages_is_read_again(
    mixed: Path, build_index, tmp_path: Path, monkeypatch
):
    describe_file = ThreadExecutor._describe

    def unplugged(executor: ThreadExecutor, task: ImageTask) -> Iterator[Result]:
        results = list(describe_file(executor, task))
        if task.file.id != "scan.tiff":
            yield from results
            return
        yield results[0]
        mixed.rename(tmp_path / "elsewhere")
        for result in results[1:]:
            is_page = isinstance(result, DescribedImage)
            yield Skipped(result.entry.image, "missing", "Gone.", place=result.entry.place) if is_page else result

    with monkeypatch.context() as patch, pytest.raises(GalleryProblem, match="has gone while its pictures were read"):
        patch.setattr(ThreadExecutor, "_describe", unplugged)
        build_index(mixed)
    (tmp_path / "elsewhere").rename(mixed)
    built = open_gallery(build_index(mixed))
    assert sum(image.startswith("scan.tiff") for image in built.tables.ids) == 3


def test_r85_a_drive_that_goes_takes_no_old_version_of_a_changed_picture(
    gallery: Path, build_index, tmp_path: Path, draw
):
    other = eight_pictures(tmp_path / "other")
    rules = GalleryRules(more_folders=(other,))
    build_index(gallery, rules=rules)
    for picture in other.rglob("*.png"):
        os.utime(picture, (2e9, 2e9))
    for number in range(12):
        save(draw(40 + number), gallery / f"new {number}.png")
    landed = Landed(tmp_path / "index", lambda _: other.exists() and other.rename(tmp_path / "elsewhere"))
    with pytest.raises(GalleryProblem, match="has gone while its pictures were read"):
        build_index(gallery, rules=rules, waves=landed.options)
    served = open_gallery(current_folder(tmp_path / "index")).tables.ids
    assert landed.seen and sum(image.startswith("other/") for image in served) == 8


def test_an_update_that_will_be_refused_because_much_is_unreadable_publishes_no_wave(
    mixed: Path, build_index, tmp_path: Path, monkeypatch, draw
):
    monkeypatch.setattr(update_plan, "FEW", 5)
    build_index(mixed)
    before = {file.name for file in mixed.glob("*.png")}
    for name in sorted(before)[:4]:
        (mixed / name).write_bytes(b"no picture")
    for number in range(8):
        save(draw(40 + number), mixed / f"new {number}.png")
    landed = Landed(tmp_path / "index")
    with pytest.raises(GalleryProblem, match="cannot be read any more"):
        build_index(mixed, waves=landed.options)
    served = set(open_gallery(current_folder(tmp_path / "index")).tables.ids)
    assert len(before - served) <= update_plan.UNREADABLE * 9


def test_a_wave_holds_no_picture_of_a_folder_that_was_taken_out(gallery: Path, build_index, tmp_path: Path, draw):
    other = eight_pictures(tmp_path / "other")
    build_index(gallery, rules=GalleryRules(more_folders=(other,)))
    shutil.copytree(other, gallery / "copies")
    for number in range(12):
        save(draw(40 + number), gallery / f"new {number}.png")
    landed = Landed(tmp_path / "index")
    built = open_gallery(build_index(gallery, waves=landed.options))
    assert landed.seen and not any(image.startswith("other/") for wave in landed.seen for image in wave)
    assert built.image_count == 8 + 8 + 12


def test_r88_a_build_that_is_cancelled_before_all_keypoints_are_found_goes_on(
    keypoints_later, mixed: Path, build_index, tmp_path: Path
):
    undisturbed = build_index(mixed, into="undisturbed")
    last = []

    def stop(_: int) -> None:
        last.append(len(landed.seen[-1]))
        if last[-1] == 11:
            raise BuildCancelled("Cancelled.")

    landed = Landed(tmp_path / "index", stop)
    with pytest.raises(BuildCancelled):
        build_index(mixed, waves=landed.later)
    assert read_manifest(current_folder(tmp_path / "index")).wave.without_keypoints == 8
    for options in (None, landed.later):
        shutil.copytree(tmp_path / "index", tmp_path / f"index-{options is None}")
        assert contents(build_index(mixed, waves=options, into=f"index-{options is None}")) == contents(undisturbed)


def test_waves_grow_and_hold_what_was_read(mixed: Path, build_index, tmp_path: Path):
    folders = []
    landed = Landed(tmp_path / "index", lambda _: folders.append(len(generations(tmp_path / "index"))))
    last = open_gallery(build_index(mixed, waves=landed.options))
    whole = dict(zip(last.tables.ids, last.tables.images["sha256"].to_pylist(), strict=True))
    for before, after in zip([{}, *landed.seen], [*landed.seen, whole], strict=True):
        assert before.items() < after.items() <= whole.items() or after == whole
    pages = [sum("scan.tiff" in image for image in seen) for seen in landed.seen]
    assert set(pages) <= {0, 3}, "pages of a document belong together"
    assert max(folders) == 2, "a wave replaces the one before the last"
    assert max(landed.found) <= 11 and landed.found[0] >= 8
    assert landed.shared[0] == 0 and landed.shared[-1] == len(landed.seen) - 1


@pytest.mark.parametrize("options", ["options", "later"], ids=["with keypoints", "without keypoints"])
def test_a_wave_can_be_searched(
    keypoints_later, gallery: Path, build_index, tmp_path: Path, tiny_embedder, draw, options: str
):
    found = []

    def look(_: int) -> None:
        wave = open_gallery(current_folder(tmp_path / "index"))
        for name in wave.tables.ids:
            number = int(Path(name).stem)
            query = tiny_embedder.query(draw(number), Box.whole(draw(number)), wave.whitening)
            for ranking in ("fast", "best"):
                hits = search(query, wave, ranking, 0)
                assert hits[0].image == name or len(wave.tables.ids) < 3
                assert len(hits) == len(wave.tables.ids)
            points = wave.keypoints(wave.number(name))[0].points
            assert len(wave.thumbnail(name)) > 100 and bool(len(points)) == (options == "options")
            found.append(name)

    build_index(gallery, waves=getattr(Landed(tmp_path / "index", look), options))
    assert len(set(found)) >= 6


@pytest.fixture
def updated(mixed: Path, build_index, tmp_path: Path, draw) -> Path:
    """A complete index of `mixed`, whose pictures then come, go, change and move."""
    before = build_index(mixed)
    shutil.copytree(tmp_path / "index", tmp_path / "undisturbed", copy_function=os.link)
    (mixed / "0.png").unlink()
    (mixed / "1.png").rename(mixed / "moved.png")
    save(draw(30), mixed / "2.png", 1.1e9)
    (mixed / "scan.tiff").write_bytes(paged([draw(number) for number in (20, 24)], "TIFF"))
    for number in range(40, 50):
        save(draw(number), mixed / f"{number}.png", 1.2e9)
    return before


@pytest.fixture
def small_files(monkeypatch) -> None:
    """Files of thumbnails with two pictures each, which are shared if they still hold both."""
    monkeypatch.setattr(blobs, "PICTURES_PER_FILE", 2)
    monkeypatch.setattr(blobs, "FEWEST", 2)


def test_r85_waves_of_an_update_lose_nothing(small_files, mixed: Path, updated: Path, build_index, tmp_path: Path):
    old, undisturbed = open_gallery(updated), build_index(mixed, into="undisturbed")
    before = dict(zip(old.tables.ids, old.tables.images["sha256"].to_pylist(), strict=True))
    new = open_gallery(undisturbed)
    after = dict(zip(new.tables.ids, new.tables.images["sha256"].to_pylist(), strict=True))

    def look(_: int) -> None:
        assert updated in generations(tmp_path / "index")
        wave = open_gallery(current_folder(tmp_path / "index"))
        assert wave.manifest.wave.base == updated.name
        for image in wave.tables.ids:
            sha256 = wave.entry(image).sha256
            version = old if old.tables.with_contents(sha256) else new
            same = version.tables.with_contents(sha256)
            assert same and wave.thumbnail(image) == version.thumbnail(same)
            points, here = (g.keypoints(g.number(name))[0] for g, name in ((version, same), (wave, image)))
            assert np.array_equal(points.descriptors, here.descriptors)

    landed = Landed(tmp_path / "index", look)
    built = build_index(mixed, waves=landed.options)
    assert contents(built) == contents(undisturbed) and len(landed.seen) > 3
    for seen in landed.seen:
        assert all(seen[image] in (before.get(image), after.get(image)) for image in seen)
        assert before.keys() & after.keys() <= seen.keys() and len(seen) > len(before)
        assert before["1.png"] in seen.values(), "a moved picture stays until it is found in its new place"
        pages = {image: sha256 for image, sha256 in seen.items() if image.startswith("scan.tiff")}
        assert any(pages == {page: version[page] for page in pages} for version in (before, after)), "one version"
    assert generations(tmp_path / "index") == [updated, built]


def test_r85_a_cancelled_update_is_searched_and_goes_on(mixed: Path, updated: Path, build_index, tmp_path: Path):
    undisturbed = build_index(mixed, into="undisturbed")
    index = tmp_path / "index"
    served = cancelled(index, 2, lambda options: build_index(mixed, waves=options))
    assert read_manifest(served).wave and verify(index) == []
    states = {one.name: one.found for one in stored_generations(index)}
    assert states[updated.name] == 0 and states[served.name] > 10
    landed = Landed(index)
    built = build_index(mixed, waves=landed.options)
    assert contents(built) == contents(undisturbed) and generations(index) == [updated, built]
    assert min(map(len, landed.seen)) > read_manifest(undisturbed).counts.images - 8, "none is smaller than the first"


def cancelled(index_dir: Path, after: int, build: Callable[[WaveOptions], object]) -> Path:
    """Cancel a build after some waves; returns what is served then."""

    def stop(number: int) -> None:
        if number == after:
            raise BuildCancelled("Cancelled.")

    with pytest.raises(BuildCancelled):
        build(Landed(index_dir, stop).options)
    assert not list(index_dir.glob("tmp-*"))
    return current_folder(index_dir)


def test_r84_a_cancelled_first_build_goes_on_where_it_was(mixed: Path, build_index, tmp_path: Path, make_embedder):
    undisturbed = build_index(mixed, into="undisturbed")
    index, read = tmp_path / "index", []
    embedder = make_embedder()
    counting = replace(embedder, run=lambda pixels: (read.append(len(pixels)), embedder.run(pixels))[1])
    served = cancelled(index, 3, lambda options: build_index(mixed, embedder=counting, waves=options))
    assert waves(index) == generations(index) and read_manifest(served).wave == Wave(found=9, base="")
    read.clear()
    built = build_index(mixed, embedder=counting)
    assert contents(built) == contents(undisturbed) and generations(index) == [built]
    assert 0 < sum(read) <= 11 - 3, "what could be searched is not read again"


@pytest.mark.parametrize("new", ["renamed", "changed", "another"])
def test_r96_a_build_goes_on_in_the_folder_that_its_gallery_has_moved_to(
    mixed: Path, build_index, tmp_path: Path, make_embedder, draw, new: str
):
    """Whatever the name of the folder. Another gallery, with pictures of the same names, is read as a whole."""
    index, read, moved = tmp_path / "index", [], tmp_path / "moved"
    cancelled(index, 3, lambda options: build_index(mixed, waves=options))
    embedder = make_embedder()
    counting = replace(embedder, run=lambda pixels: (read.append(len(pixels)), embedder.run(pixels))[1])
    shutil.copytree(mixed, moved)
    mixed.rename(tmp_path / "away")
    if new == "another":
        for number in range(6):
            save(draw(90 + number), moved / f"{number}.png", 1.2e9)
    elif new == "changed":
        save(draw(90), moved / "0.png", 1.2e9)
        (moved / "1.png").unlink()
    undisturbed, built = build_index(moved, into="undisturbed"), build_index(moved, embedder=counting)
    hashes = [open_gallery(folder).tables.images["sha256"] for folder in (undisturbed, built)]
    assert hashes[0] == hashes[1] and read_manifest(built).gallery == str(moved)
    assert new == "changed" or contents(built) == contents(undisturbed)
    assert sum(read) == 11 if new == "another" else 0 < sum(read) <= 11 - 3


def test_a_wave_is_never_what_a_build_starts_from(mixed: Path, build_index, tmp_path: Path):
    undisturbed = build_index(mixed, into="undisturbed")
    index = tmp_path / "index"
    cancelled(index, 3, lambda options: build_index(mixed, waves=options))
    (index / "journal.sqlite").unlink()
    built = build_index(mixed)
    assert contents(built) == contents(undisturbed)


def test_roll_back_from_a_wave(mixed: Path, updated: Path, build_index, tmp_path: Path):
    undisturbed = build_index(mixed, into="undisturbed")
    index = tmp_path / "index"
    wave = cancelled(index, 2, lambda options: build_index(mixed, waves=options))
    assert roll_back(index) == updated == current_folder(index)
    built = build_index(mixed)
    assert contents(built) == contents(undisturbed) and generations(index) == [updated, built] and not wave.exists()


def test_roll_back_goes_to_what_a_wave_was_made_from(gallery: Path, build_index, tmp_path: Path, draw):
    """After a rollback, that is not the newest complete generation."""
    first = build_index(gallery)
    save(draw(30), gallery / "30.png")
    second = build_index(gallery)
    roll_back(first.parent)
    save(draw(31), gallery / "31.png")
    save(draw(32), gallery / "32.png")
    cancelled(first.parent, 1, lambda options: build_index(gallery, waves=options))
    assert {first, second} <= set(generations(first.parent))
    assert roll_back(first.parent) == first


def test_an_update_that_is_taken_back_leaves_no_wave(mixed: Path, build_index, tmp_path: Path, draw):
    before = build_index(mixed)
    for number in (60, 61, 62, 63):
        save(draw(number), mixed / f"{number}.png")
    wave = cancelled(before.parent, 2, lambda options: build_index(mixed, waves=options))
    assert len(open_gallery(wave).tables.ids) > 11
    for number in (60, 61, 62, 63):
        (mixed / f"{number}.png").unlink()
    built = build_index(mixed)
    assert_same_index(open_gallery(built), open_gallery(before))
    assert generations(before.parent) == [before, built]


def test_a_rebuild_publishes_no_waves(mixed: Path, build_index, tmp_path: Path, make_embedder, draw):
    """Its waves would lack pictures of what is served, or have descriptors of two recipes."""
    build_index(mixed)
    landed = Landed(tmp_path / "index")
    for number in range(80, 90):
        save(draw(number), mixed / f"{number}.png")
    build_index(mixed, full=True, waves=landed.options)
    build_index(mixed, embedder=make_embedder(keypoints=100), waves=landed.options)
    assert landed.seen == []


def test_a_wave_is_served_only_if_it_has_more_pictures(mixed: Path, build_index, tmp_path: Path, draw):
    build_index(mixed)
    landed = Landed(tmp_path / "index")
    for number in range(4):
        (mixed / f"{number}.png").unlink()
        save(draw(70 + number), mixed / f"{70 + number}.png", 1.2e9)
    build_index(mixed, waves=landed.options)
    assert landed.seen == []


@pytest.mark.parametrize("step", ["write_tables", "find_neighbours", "point_current_at", "need_space"])
def test_r86_a_wave_for_which_the_disk_has_no_room_is_left_out(
    mixed: Path, build_index, tmp_path: Path, monkeypatch, step: str
):
    undisturbed = build_index(mixed, into="undisturbed")
    landed, failed = Landed(tmp_path / "index"), []
    where = {"point_current_at": publishing, "need_space": module}.get(step, assemble)
    work = getattr(where, step)

    def full(*given: object, **named: object) -> object:
        if 2 <= len(landed.seen) < 4 and len(failed) < 2:
            failed.append(step)
            raise DiskFull("full") if step == "need_space" else OSError(28, "No space left on device")
        return work(*given, **named)

    monkeypatch.setattr(where, step, full)
    built = build_index(mixed, waves=landed.options)
    assert len(failed) == 2 and len(landed.seen) > 3
    assert contents(built) == contents(undisturbed) and generations(tmp_path / "index") == [built]


def test_r86_a_disk_that_is_full_at_the_end_leaves_the_last_wave(mixed: Path, build_index, tmp_path: Path, monkeypatch):
    landed = Landed(tmp_path / "index")
    publish = publishing.point_current_at

    def full(index_dir: Path, name: str) -> None:
        if not read_manifest(index_dir / name).wave:
            raise OSError(28, "No space left on device")
        publish(index_dir, name)

    monkeypatch.setattr(publishing, "point_current_at", full)
    with pytest.raises(DiskFull):
        build_index(mixed, waves=landed.options)
    served = current_folder(tmp_path / "index")
    assert set(open_gallery(served).tables.ids) == landed.seen[-1].keys() and verify_generation(served) == []
