"""Files that hold several pictures: built, updated, interrupted, damaged."""

import io
import os
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from index.building import decoder_pool as pools
from index.building import journal as journals
from index.building.build import build
from index.building.decode_tasks import BadPlace, DecodedImage, IndexedFile, Several, Unchanged, Wanted
from index.building.decoder_pool import DecoderPool
from index.building.describe_image import ImageTask, decode_alone
from index.building.thread_executor import ThreadExecutor
from index.gallery import open_gallery
from index.operations.folder_changes import FolderChanges, find_folder_changes
from index.operations.read_original import read_original
from index.operations.verify import verify
from index.storage.folder_scan import find_pictures
from index.storage.gallery_rules import GalleryRules
from index.storage.skipped_files import read_skipped
from index.storage.sources import Reading
from retrieval.errors import BuildCancelled, GalleryProblem, UnreadableImage
from retrieval.images.decode import decode_image, load_image
from retrieval.images.limits import SourceLimits
from retrieval.images.places import picture_sha256
from retrieval.networks.weights import file_sha256
from retrieval.search import search
from retrieval.types import Box, quiet
from tests.documents import archive, encoded, paged, text_pdf
from tests.films import film
from tests.tiny import TINY_EMBEDDER


class Counting:
    """The tiny network, and a count of the images it has seen."""

    def __init__(self) -> None:
        self.seen = 0
        self.embedder = replace(TINY_EMBEDDER, run=self)

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        self.seen += len(pixels)
        return TINY_EMBEDDER.run(pixels)


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def mixed(gallery: Path, draw) -> Path:
    """Eight images, and documents of the same kind of images."""
    images = [draw(seed) for seed in range(20, 24)]
    (gallery / "anim.gif").write_bytes(paged(images[:3], "GIF"))
    (gallery / "scan.tif").write_bytes(paged(images[1:], "TIFF"))
    (gallery / "below" / "catalogue.pdf").write_bytes(paged(images[:2], "PDF", quality=95))
    damaged = {"1.png": encoded(images[0], "PNG"), "2.png": b"no picture", "3.png": encoded(images[2], "PNG")}
    (gallery / "book.cbz").write_bytes(archive(damaged))
    age(gallery)
    return gallery


def age(folder: Path) -> None:
    """Set old mtimes, so that the build trusts size and time."""
    for path in folder.rglob("*.*"):
        os.utime(path, (time.time() - 1000, path.stat().st_mtime - 1000))


PLACES = {
    "anim.gif": ["", "frame=2", "frame=3"],
    "scan.tif": ["", "page=2", "page=3"],
    "below/catalogue.pdf": ["page=1", "page=2"],
    "book.cbz": ["page=1", "page=3"],
}
IDS = sorted(f"{file}#{place}" if place else file for file, places in PLACES.items() for place in places)


def several(ids: list[str]) -> list[str]:
    return [image for image in ids if not image.endswith(".png")]


def test_every_page_and_frame_is_a_picture_of_the_index(mixed: Path, build_index):
    folder = build_index(mixed, workers=2)
    index = open_gallery(folder)
    assert several(index.tables.ids) == IDS and verify(folder.parent) == []
    for image in IDS:
        entry = index.entry(image)
        file, _, place = image.partition("#")
        assert (entry.source, entry.place) == (file, place) and index.file(image) == mixed / file
        assert entry.sha256 == picture_sha256(file_sha256(mixed / file), place)
        assert entry.bytes == (mixed / file).stat().st_size
    hashes = index.tables.images["sha256"].to_pylist()
    assert len(set(hashes)) == len(hashes)
    assert [(s.file, s.reason, s.place, s.source) for s in read_skipped(folder)] == [
        ("book.cbz#page=2", "not_an_image", "page=2", "book.cbz")
    ]


def test_a_page_is_found_by_what_is_on_it(mixed: Path, build_index, draw):
    index = open_gallery(build_index(mixed))
    for seed, files in (
        (21, {"anim.gif#frame=2", "scan.tif", "below/catalogue.pdf#page=2"}),
        (23, {"scan.tif#page=3"}),
    ):
        query = TINY_EMBEDDER.query(draw(seed), Box.whole(draw(seed)), index.whitening)
        assert files <= {hit.image for hit in search(query, index, top=4)}


def test_r41_documents_are_updated_as_files(mixed: Path, build_index, counting: Counting, draw):
    build_index(mixed, embedder=counting.embedder)
    assert counting.seen == 8 + len(IDS)
    folder = build_index(mixed, embedder=counting.embedder, workers=2)
    assert counting.seen == 8 + len(IDS) and folder.name.startswith("gen-000001")

    (mixed / "scan.tif").rename(mixed / "below" / "moved.tif")
    (mixed / "copy.pdf").write_bytes((mixed / "below" / "catalogue.pdf").read_bytes())
    (mixed / "anim.gif").touch()
    folder = build_index(mixed, embedder=counting.embedder)
    index = open_gallery(folder)
    assert counting.seen == 8 + len(IDS)
    assert {"below/moved.tif", "below/moved.tif#page=3", "copy.pdf#page=1", "anim.gif#frame=3"} <= set(index.tables.ids)
    assert not [image for image in index.tables.ids if image.startswith("scan.tif")]
    assert index.thumbnail("copy.pdf#page=2") == index.thumbnail("below/catalogue.pdf#page=2")

    (mixed / "below" / "catalogue.pdf").write_bytes(paged([draw(30)], "PDF"))
    folder = build_index(mixed, embedder=counting.embedder)
    assert counting.seen == 8 + len(IDS) + 1
    ids = open_gallery(folder).tables.ids
    assert [image for image in ids if "catalogue" in image] == ["below/catalogue.pdf#page=1"]
    assert [s.file for s in read_skipped(folder)] == ["book.cbz#page=2"] and verify(folder.parent) == []


def test_an_update_equals_a_full_build(mixed: Path, build_index, draw):
    build_index(mixed)
    (mixed / "scan.tif").write_bytes(paged([draw(seed) for seed in (21, 40)], "TIFF"))
    updated = open_gallery(build_index(mixed, workers=2))
    whole = open_gallery(build_index(mixed, full=True))
    assert updated.tables.ids == whole.tables.ids
    assert [updated.thumbnail(i) for i in updated.tables.ids] == [whole.thumbnail(i) for i in whole.tables.ids]


def test_r42_a_build_that_is_interrupted_in_a_document_reads_it_again(mixed: Path, build_index, monkeypatch, tmp_path):
    expected = open_gallery(build_index(mixed, into="expected"))
    add, added = journals.Journal.add, []

    def interrupted(journal, picture):
        if len(added) == stop_after:
            raise BuildCancelled("Stopped.")
        added.append(picture.entry.image)
        add(journal, picture)

    for stop_after in (9, 14):
        added.clear()
        monkeypatch.setattr(journals.Journal, "add", interrupted)
        with pytest.raises(BuildCancelled):
            build_index(mixed, into=f"i{stop_after}")
        monkeypatch.setattr(journals.Journal, "add", add)
        counting = Counting()
        index = open_gallery(build_index(mixed, into=f"i{stop_after}", embedder=counting.embedder))
        whole = {image for image in added if image.endswith(".png")}
        for file, places in PLACES.items():
            pages = {image for image in added if image.partition("#")[0] == file}
            if len(pages) == len(places):
                whole |= pages
        assert counting.seen == 8 + len(IDS) - len(whole)
        assert index.tables.ids == expected.tables.ids
        assert [s.file for s in read_skipped(index.folder)] == ["book.cbz#page=2"]


@pytest.mark.parametrize("workers", [1, 2])
def test_many_long_documents_at_once_neither_wait_for_each_other_for_ever_nor_lose_pages(
    tmp_path: Path, build_index, draw, workers
):
    folder = tmp_path / "long"
    folder.mkdir()
    pages = [draw(seed, 32, 32) for seed in range(40)]
    for number in range(5):
        (folder / f"{number}.tif").write_bytes(paged(pages[number:], "TIFF"))
    with DecoderPool(workers) as pool:
        executor = ThreadExecutor(TINY_EMBEDDER, pool, workers)
        index = open_gallery(build(folder, tmp_path / "index", executor, quiet))
    assert index.image_count == 40 + 39 + 38 + 37 + 36


def test_r79_a_page_that_takes_too_long_costs_only_itself(tmp_path: Path, draw):
    row = np.random.default_rng(0).integers(0, 65536, (1, 9000), dtype=np.uint16)
    slow = io.BytesIO()
    Pillow.fromarray(np.repeat(row, 9000, axis=0)).save(slow, "PNG", compress_level=1)
    good = encoded(draw(1), "PNG")
    (tmp_path / "a.cbz").write_bytes(archive({"1.png": good, "2.png": slow.getvalue(), "3.png": good}))
    with DecoderPool(1, seconds=0.6) as pool:
        pool.decode_file(_saved(tmp_path, good), 64)  # start the worker
        found = list(pool.decode_source(tmp_path / "a.cbz", Wanted(64)))
    assert [type(one) for one in found] == [Several, DecodedImage, BadPlace, DecodedImage]
    assert (found[2].place, found[2].reason, found[3].place) == ("page=2", "decoder_hang", "page=3")


def _saved(folder: Path, data: bytes) -> Path:
    (folder / "good.png").write_bytes(data)
    return folder / "good.png"


def test_a_document_without_a_usable_page_is_skipped_as_a_whole(gallery: Path, build_index, counting: Counting):
    (gallery / "a.cbz").write_bytes(archive({"1.png": b"x", "2.png": b"y"}))
    (gallery / "b.pdf").write_bytes(b"no PDF")
    (gallery / "c.zip").write_bytes(archive({"notes.txt": b"x"}))
    age(gallery)
    for _ in range(2):
        folder = build_index(gallery, embedder=counting.embedder)
        assert [(s.file, s.reason, s.place) for s in read_skipped(folder)] == [
            ("a.cbz", "not_an_image", ""),
            ("b.pdf", "damaged", ""),
            ("c.zip", "no_pictures", ""),
        ]
    assert counting.seen == 8


def test_r80_pages_beyond_the_limit_are_named_and_read_when_the_limit_is_raised(gallery: Path, build_index, counting):
    (gallery / "long.pdf").write_bytes(text_pdf(["x"], pages=7))
    age(gallery)
    few = GalleryRules(limits=SourceLimits(pages=3))
    for _ in range(2):
        folder = build_index(gallery, embedder=counting.embedder, rules=few)
        (skipped,) = read_skipped(folder)
        assert (skipped.file, skipped.reason) == ("long.pdf#page=4", "too_many_pages")
        assert skipped.sentence == "long.pdf has 7 pages; the first 3 are read (BOXFIND_PAGES)."
        assert counting.seen == 8 + 3
    assert find_folder_changes(folder, rules=few) == FolderChanges([], [], [])
    assert find_folder_changes(folder).changed == ["long.pdf"]
    folder = build_index(gallery, embedder=counting.embedder)
    assert counting.seen == 8 + 3 + 7 and read_skipped(folder) == []


def test_a_damaged_first_page_does_not_hide_the_others(gallery: Path, build_index, counting: Counting, draw):
    data = bytearray(paged([draw(seed) for seed in range(3)], "TIFF", compression="tiff_adobe_deflate"))
    with Pillow.open(io.BytesIO(data)) as tiff:
        start, size = tiff.tag_v2[273][0], tiff.tag_v2[279][0]
    data[start : start + size] = bytes(size)
    (gallery / "scan.tif").write_bytes(data)
    age(gallery)
    for _ in range(2):
        folder = build_index(gallery, embedder=counting.embedder)
        assert [(s.file, s.place) for s in read_skipped(folder)] == [("scan.tif#page=1", "page=1")]
        assert several(open_gallery(folder).tables.ids) == ["scan.tif#page=2", "scan.tif#page=3"]
        assert counting.seen == 8 + 2


def test_a_document_above_the_limit_of_size_is_named(gallery: Path, build_index):
    (gallery / "a.pdf").write_bytes(text_pdf(["x"]) + bytes(1_100_000))
    folder = build_index(gallery, rules=GalleryRules(limits=SourceLimits(document_mb=1)))
    (skipped,) = read_skipped(folder)
    assert skipped.sentence == "a.pdf is 1 MB; the limit of documents is 1 MB (BOXFIND_DOCUMENT_MB)."


def test_renamed_files_are_what_they_contain(gallery: Path, build_index, draw):
    images = [draw(seed) for seed in (20, 21)]
    (gallery / "a.jpg").write_bytes(paged(images, "PDF"))
    (gallery / "b.pdf").write_bytes(encoded(images[0], "PNG"))
    (gallery / "c.png").write_bytes(archive({"1.png": encoded(images[0], "PNG")}))
    (gallery / "document").write_bytes(paged(images, "PDF"))
    (gallery / "sheet.kra").write_bytes(archive({"1.png": encoded(images[0], "PNG")}))  # a ZIP of another program
    index = open_gallery(build_index(gallery))
    new = ["a.jpg#page=1", "a.jpg#page=2", "b.pdf", "c.png#page=1", "document#page=1", "document#page=2"]
    assert [i for i in index.tables.ids if i[0] in "abcds" and not i.startswith("below")] == new
    assert read_skipped(index.folder) == []


def test_folder_changes_name_files(mixed: Path, build_index, draw):
    folder = build_index(mixed)
    assert find_folder_changes(folder) == FolderChanges([], [], [])
    (mixed / "below" / "catalogue.pdf").unlink()
    (mixed / "scan.tif").write_bytes(paged([draw(50), draw(51)], "TIFF"))
    (mixed / "new.pdf").write_bytes(paged([draw(52)], "PDF"))
    assert find_folder_changes(folder) == FolderChanges(["new.pdf"], ["scan.tif"], ["below/catalogue.pdf"])


def test_a_lost_document_is_one_file_of_many(tmp_path: Path, build_index, draw):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(25):
        (folder / f"{number}.png").write_bytes(encoded(draw(number, 32, 32), "PNG"))
    (folder / "long.tif").write_bytes(paged([draw(seed, 32, 32) for seed in range(60)], "TIFF"))
    build_index(folder)
    (folder / "long.tif").unlink()
    assert open_gallery(build_index(folder)).image_count == 25
    for number in range(13):
        (folder / f"{number}.png").unlink()
    with pytest.raises(GalleryProblem, match="Only 12 of 25"):
        build_index(folder)


def test_a_known_document_is_not_read_again(mixed: Path, pool: DecoderPool):
    file = mixed / "below" / "catalogue.pdf"
    contents = file_sha256(file)
    (known,) = pool.decode_source(file, Wanted(64), frozenset([contents]))
    assert known == Unchanged(file.stat().st_size, file.stat().st_mtime, contents)


def test_a_reader_that_loses_interest_leaves_nothing_behind(mixed: Path, pool: DecoderPool):
    with closing(pool.decode_source(mixed / "below" / "catalogue.pdf", Wanted(64))) as pictures:
        next(pictures)
        assert isinstance(next(pictures), DecodedImage)
    assert isinstance(pool.decode_file(mixed / "1.png", 64), DecodedImage)


def test_a_cluster_reads_only_files_with_one_picture(mixed: Path, pool: DecoderPool):
    for file in find_pictures(mixed)[0]:
        alone = decode_alone(ImageTask(file, frozenset()), pool, TINY_EMBEDDER.recipe)
        assert (alone is None) == (file.id in PLACES)


def test_the_text_of_a_document_is_found_without_reading_it(gallery: Path, build_index, pool: DecoderPool, monkeypatch):
    (gallery / "a.pdf").write_bytes(text_pdf(["Blue kettle"], pages=2))
    folder = build_index(gallery)
    index = open_gallery(folder)
    texts = {}
    for image in ("a.pdf#page=1", "a.pdf#page=2"):
        entry = index.entry(image)
        read = pool.read_text(_indexed(index, image))
        assert read.sha256 == entry.sha256
        texts[image] = [line.text for line in read.lines]
    assert texts == {"a.pdf#page=1": ["Blue kettle", "Sheet 1"], "a.pdf#page=2": ["Blue kettle", "Sheet 2"]}


def _indexed(index, image: str):
    entry = index.entry(image)
    return IndexedFile(index.file(image), entry.place, entry.bytes, entry.mtime, entry.file_sha256)


def test_pictures_of_uploads_are_chosen_by_their_place(mixed: Path, pool: DecoderPool, draw):
    reading = Reading()
    contents = pool.list_contents(mixed / "scan.tif", "scan.tif", reading)
    assert (contents.places, contents.total) == (("", "page=2", "page=3"), 3)
    assert np.array_equal(pool.read_picture(mixed / "scan.tif", "s", "page=3", 10**8, reading).image, draw(23))
    png = pool.encode_picture(mixed / "scan.tif", "scan.tif", "page=2", reading)
    (mixed / "page.png").write_bytes(png)
    assert np.array_equal(load_image(mixed / "page.png"), draw(22))
    assert pool.decode((mixed / "below" / "catalogue.pdf").read_bytes(), "a.pdf").width == 1920
    with pytest.raises(UnreadableImage):
        pool.read_picture(mixed / "1.png", "1.png", "page=2", 10**8, reading)


@pytest.fixture
def with_film(gallery: Path, draw) -> Path:
    (gallery / "trip.mp4").write_bytes(film([draw(seed, 320, 240) for seed in (60, 61, 62)]))
    return gallery


def test_every_scene_of_a_film_is_a_picture(with_film: Path, build_index, draw, counting: Counting):
    age(with_film)
    folder = build_index(with_film, embedder=counting.embedder)
    index = open_gallery(folder)
    scenes = several(index.tables.ids)
    times = [float(image.removeprefix("trip.mp4#t=")) for image in scenes]
    assert len(times) >= 3 and read_skipped(folder) == [] and verify(folder.parent) == []
    for number, seed in enumerate((60, 61, 62)):
        query = TINY_EMBEDDER.query(draw(seed, 320, 240), Box(0, 0, 320, 240), index.whitening)
        hit = search(query, index, top=1)[0].image
        assert 1.5 * number <= float(hit.removeprefix("trip.mp4#t=")) <= 1.5 * (number + 1), (hit, times)
    shown = decode_image(read_original(index, scenes[1]))
    assert np.abs(shown.astype(int) - draw(61, 320, 240)).mean() < 40
    seen = counting.seen
    assert build_index(with_film, embedder=counting.embedder) == folder and counting.seen == seen
    (with_film / "trip.mp4").rename(with_film / "renamed.mp4")
    ids = open_gallery(build_index(with_film, embedder=counting.embedder)).tables.ids
    assert counting.seen == seen and several(ids) == [image.replace("trip", "renamed") for image in scenes]


def test_r79_a_cut_film_and_one_that_is_none(with_film: Path, build_index):
    whole = (with_film / "trip.mp4").read_bytes()
    (with_film / "a.mkv").write_bytes(whole[: len(whole) // 2])
    (with_film / "b.mp4").write_bytes(b"not a film")
    (with_film / "c.jpg").write_bytes(whole)  # a film of another name
    (with_film / "d.webm").write_bytes(b"\x1aE\xdf\xa3" + bytes(500))
    folder = build_index(with_film)
    ids = open_gallery(folder).tables.ids
    assert sum(image.startswith("c.jpg#t=") for image in ids) == sum(image.startswith("trip.mp4#t=") for image in ids)
    skipped = {record.source: record for record in read_skipped(folder)}
    assert {"b.mp4", "d.webm"} <= skipped.keys() and all(s.sentence.endswith(".") for s in skipped.values())
    assert "a.mkv" in skipped or any(image.startswith("a.mkv#t=") for image in ids)


def test_a_document_whose_pages_all_take_too_long_is_given_up(tmp_path: Path, draw, monkeypatch):
    row = np.random.default_rng(0).integers(0, 65536, (1, 9000), dtype=np.uint16)
    slow = io.BytesIO()
    Pillow.fromarray(np.repeat(row, 9000, axis=0)).save(slow, "PNG", compress_level=1)
    (tmp_path / "a.cbz").write_bytes(archive({f"{number}.png": slow.getvalue() for number in range(9)}))
    monkeypatch.setattr(pools, "MOST_PROBLEMS", 1)
    with DecoderPool(1, seconds=0.5) as pool:
        pool.decode_file(_saved(tmp_path, encoded(draw(1), "PNG")), 64)  # start the worker
        found = list(pool.decode_source(tmp_path / "a.cbz", Wanted(64)))[1:]
    assert [(one.place, one.reason) for one in found] == [
        ("page=1", "decoder_hang"),
        ("page=2", "decoder_hang"),
        ("page=3", "too_complex"),
    ]
