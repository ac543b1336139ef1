"""Added files are readable images with unique names; existing files never change."""

import errno
import io
import os
import struct
import threading
import unicodedata
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from index.building.build import build
from index.building.decoder_pool import DecoderPool
from index.building.thread_executor import ThreadExecutor
from index.gallery import Gallery, open_gallery
from index.operations import add_images as module
from index.operations.add_images import ADDED, AlreadyThere, ImageAdder
from index.storage.folder_scan import find_pictures
from index.storage.gallery_rules import GalleryRules
from retrieval.descriptors.embedder import Embedder
from retrieval.errors import DiskFull, GalleryProblem, UnreadableImage
from retrieval.images.decode import LoadedImage, decode_picture
from tests.tiny import draw_picture, eight_pictures

Take = Callable[[str, bytes], str]


def png(seed: int) -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(draw_picture(seed)).save(file, "PNG")
    return file.getvalue()


def files(root: Path) -> dict[str, bytes]:
    """All files and links below a folder, hidden ones included."""
    found = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_symlink() or not path.is_dir()}
    return {
        name: str(path.readlink()).encode() if path.is_symlink() else path.read_bytes() for name, path in found.items()
    }


def bomb() -> bytes:
    """A PNG bomb: 400 million pixels in a few hundred bytes."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    packed = (struct.pack(">I", len(c)) + kind + c + struct.pack(">I", zlib.crc32(kind + c)) for kind, c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, tiny_embedder: Embedder, pool: DecoderPool) -> Gallery:
    """The index of a copy of `gallery`."""
    root = tmp_path_factory.mktemp("indexed")
    folder = eight_pictures(root / "gallery")
    return open_gallery(build(folder, root / "index", ThreadExecutor(tiny_embedder, pool), lambda *_: None))


@pytest.fixture
def take(gallery: Path, indexed: Gallery) -> Take:
    return ImageAdder(gallery, indexed, decode_picture).take


def test_an_added_image_keeps_its_bytes_and_is_in_the_next_build(take: Take, gallery: Path, build_index):
    before = files(gallery)
    assert take("Café 1.PNG", png(50)) == "added/Café 1.PNG"
    assert files(gallery) == before | {"added/Café 1.PNG": png(50)}
    assert (gallery / ADDED / "Café 1.PNG").stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert "added/Café 1.PNG" in open_gallery(build_index(gallery)).tables.ids


def test_a_folder_is_found_by_its_name_however_its_accents_are_written(gallery: Path, indexed: Gallery):
    there = gallery / unicodedata.normalize("NFD", "Fêtes") / unicodedata.normalize("NFD", "Café")
    there.mkdir(parents=True)
    take = ImageAdder(gallery, indexed, decode_picture, folder="Fêtes/Café").take
    assert take("cup.png", png(50)) == "Fêtes/Café/cup.png"
    assert (there / "cup.png").is_file() and len([path for path in gallery.iterdir() if path.name[0] == "F"]) == 1


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_another_image_of_the_same_name_gets_a_free_name(take: Take, gallery: Path):
    assert [take("cup.png", png(seed)) for seed in (50, 51, 52)] == [f"added/cup{n}.png" for n in ("", "-2", "-3")]
    assert [files(gallery / ADDED)[f"cup{n}.png"] for n in ("", "-2", "-3")] == [png(50), png(51), png(52)]


def test_indexed_contents_are_refused_under_any_name(take: Take, gallery: Path, build_index):
    before = files(gallery)
    with pytest.raises(AlreadyThere, match=r"^new\.png is already in the gallery, as below/6\.png\.$"):
        take("new.png", (gallery / "below" / "6.png").read_bytes())
    assert files(gallery) == before


def test_the_same_file_twice_is_refused_before_it_is_indexed(gallery: Path, indexed: Gallery):
    first, second = (ImageAdder(gallery, indexed, decode_picture) for _ in range(2))
    first.take("a.png", png(50))
    with pytest.raises(AlreadyThere, match=r"as added/a\.png"):
        first.take("b.png", png(50))
    with pytest.raises(AlreadyThere, match=r"as added/a\.png"):
        second.take("a.png", png(50))
    assert files(gallery / ADDED) == {"a.png": png(50)}


def test_an_indexed_image_that_was_deleted_can_be_added_again(take: Take, gallery: Path):
    data = (gallery / "3.png").read_bytes()
    (gallery / "3.png").unlink()
    assert take("3.png", data) == "added/3.png"


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "empty"), (b"shopping list", "not_an_image"), (png(50)[:300], "truncated"), (bomb(), "too_large")],
    ids=["empty", "text", "cut", "bomb"],
)
def test_unreadable_images_leave_no_trace(take: Take, gallery: Path, data: bytes, reason: str):
    before = files(gallery)
    with pytest.raises(UnreadableImage) as refused:
        take("x.png", data)
    assert refused.value.reason == reason
    assert files(gallery) == before and not (gallery / ADDED).exists()


HOSTILE = [
    "../x.png",
    "/etc/x.png",
    "..",
    ".",
    "",
    "a/b.png",
    "a\\b.png",
    "C:x.png",
    ".hidden.png",
    "x",
    "x.exe",
    "x.png/",
]


@pytest.mark.parametrize("name", [*HOSTILE, "a\0.png", "a\n.png", "\udcff.png", "\u202egnp.png", "é" * 130 + ".png"])
def test_unsafe_names_and_other_suffixes_are_refused(take: Take, gallery: Path, name: str):
    before = files(gallery.parent)
    with pytest.raises(UnreadableImage, match="rename it") as refused:
        take(name, png(50))
    assert "\n" not in str(refused.value) and files(gallery.parent) == before


@pytest.mark.parametrize(
    "name",
    [
        *("CON.jpg", "aux.tar.png", "com1.PNG", "a?.jpg", "12:30.jpg", "a*.png", "a|b.png", 'a"b.png', "<a>.png"),
        *(" a.jpg", "o" * 250 + ".jpg", "é" * 120 + ".jpg"),
    ],
)
def test_r76_names_that_another_system_forbids_are_refused(take: Take, gallery: Path, name: str):
    with pytest.raises(UnreadableImage, match="is not a valid name for a picture in the gallery; rename it"):
        take(name, png(50))
    assert not (gallery / ADDED).exists()


def test_r76_a_name_from_macos_gets_the_id_of_the_next_build(take: Take, gallery: Path, build_index):
    assert take("Cafe\u0301.png", png(50)) == "added/Café.png"
    assert "added/Café.png" in open_gallery(build_index(gallery)).tables.ids


@pytest.mark.parametrize(
    ("rules", "file"),
    [
        (GalleryRules(("added/",)), ""),
        (GalleryRules(("*.png",)), ""),
        (GalleryRules(), ".nomedia"),
        (GalleryRules(), ".boxfindignore"),
    ],
    ids=str,
)
def test_r65_what_a_build_leaves_out_is_not_added(gallery: Path, indexed: Gallery, rules: GalleryRules, file: str):
    if file:
        (gallery / ADDED).mkdir()
        (gallery / ADDED / file).write_text("*.png")
    with pytest.raises(UnreadableImage, match=r"^added/x\.png would be left out of the index") as refused:
        ImageAdder(gallery, indexed, decode_picture, rules).take("x.png", png(50))
    assert refused.value.reason == "left_out" and not (gallery / ADDED / "x.png").exists()


def test_r65_a_picture_below_the_smallest_side_is_not_added(gallery: Path, indexed: Gallery):
    def read(data: bytes, name: str) -> LoadedImage:
        return replace(decode_picture(data, name), width=3000, height=2000)  # what it was before it was scaled down

    with pytest.raises(UnreadableImage, match=r"^x\.png is 128 x 96 pixels; .*below 97 pixels are left out") as refused:
        ImageAdder(gallery, indexed, decode_picture, GalleryRules(min_side=97)).take("x.png", png(50))
    assert refused.value.reason == "below_min_side" and not (gallery / ADDED).exists()
    assert ImageAdder(gallery, indexed, read, GalleryRules(min_side=2000)).take("x.png", png(50)) == "added/x.png"


@given(st.text(st.characters(), max_size=12).map(lambda text: f"{text}.png"))
def test_every_accepted_name_is_found_by_a_build(name: str):
    if module._is_plain(name):
        assert Path("/gallery", name).resolve().parent == Path("/gallery") and not name.startswith(".")
        assert name.encode("utf-8")


def test_nothing_follows_a_link_out_of_the_gallery(take: Take, gallery: Path, tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (gallery / ADDED).symlink_to(outside)
    with pytest.raises(GalleryProblem, match="is not a folder, or is a link"):
        take("x.png", png(50))
    (gallery / ADDED).unlink()
    (gallery / ADDED).mkdir()
    (gallery / ADDED / "x.png").symlink_to(outside / "written.png")
    (outside / "same.png").write_bytes(png(51))
    (gallery / ADDED / "y.png").symlink_to(outside / "same.png")
    assert take("x.png", png(50)) == "added/x-2.png" and take("y.png", png(51)) == "added/y-2.png"
    assert list(files(outside)) == ["same.png"]


def test_r19_nothing_follows_a_junction_out_of_the_gallery(take: Take, gallery: Path, monkeypatch: pytest.MonkeyPatch):
    (gallery / ADDED).mkdir()
    monkeypatch.setattr(module, "is_junction", lambda status: status == (gallery / ADDED).lstat())
    with pytest.raises(GalleryProblem, match="is not a folder, or is a link"):
        take("x.png", png(50))


def test_a_file_called_added_is_refused(take: Take, gallery: Path):
    (gallery / ADDED).write_text("mine")
    with pytest.raises(GalleryProblem, match="is not a folder"):
        take("x.png", png(50))
    assert (gallery / ADDED).read_text() == "mine"


def test_an_unmounted_gallery_is_refused(indexed: Gallery, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    for root in (tmp_path / "empty", tmp_path / "gone"):
        with pytest.raises(GalleryProblem, match="its disk is connected"):
            ImageAdder(root, indexed, decode_picture).take("x.png", png(50))
    assert not list((tmp_path / "empty").iterdir()) and not (tmp_path / "gone").exists()


@pytest.mark.parametrize(
    ("folder", "image"), [("", "x.png"), ("holidays/2024", "holidays/2024/x.png"), ("below", "below/x.png")]
)
def test_another_folder_of_the_gallery_can_be_chosen(
    gallery: Path, indexed: Gallery, build_index, folder: str, image: str
):
    adder = ImageAdder(gallery, indexed, decode_picture, folder=folder)
    assert adder.take("x.png", png(50)) == image and (gallery / image).read_bytes() == png(50)
    with pytest.raises(AlreadyThere, match=f"as {image}"):
        ImageAdder(gallery, indexed, decode_picture, folder=folder).take("x.png", png(50))
    assert image in open_gallery(build_index(gallery)).tables.ids


@pytest.mark.parametrize(
    "folder", ["..", "a/..", "/etc", "a//b", ".hidden", "a/.b", "nul", "a\\b", "a:b", "a\0", "x. /y."]
)
def test_a_folder_that_is_hidden_outside_or_invalid_is_refused(gallery: Path, indexed: Gallery, folder: str):
    with pytest.raises(GalleryProblem, match="is not a valid folder"):
        ImageAdder(gallery, indexed, decode_picture, folder=folder)


def test_no_part_of_a_chosen_folder_is_a_link(gallery: Path, indexed: Gallery, tmp_path: Path):
    (gallery / "trips").symlink_to(tmp_path)
    with pytest.raises(GalleryProblem, match="trips in the gallery folder is not a folder, or is a link"):
        ImageAdder(gallery, indexed, decode_picture, folder="trips/2024").take("x.png", png(50))
    assert not (tmp_path / "2024").exists()


def test_the_first_images_go_to_an_empty_folder(tmp_path: Path, build_index):
    (tmp_path / "new").mkdir()
    assert ImageAdder(tmp_path / "new", None, decode_picture, folder="").take("x.png", png(50)) == "x.png"
    assert open_gallery(build_index(tmp_path / "new")).tables.ids == ["x.png"]


@pytest.mark.parametrize("where", ["sync", "_moved", "_folder"])
@pytest.mark.parametrize(
    ("number", "error", "words"),
    [
        (errno.ENOSPC, DiskFull, "gallery is full; .* add x\\.png again"),
        (errno.EDQUOT, DiskFull, "gallery is full; .* add x\\.png again"),
        (errno.EACCES, GalleryProblem, "Permission denied"),
        (errno.EROFS, GalleryProblem, "Read-only file system"),
    ],
)
def test_write_errors_are_sentences_and_leave_no_trace(
    take: Take, gallery: Path, monkeypatch: pytest.MonkeyPatch, where: str, number: int, error: type, words: str
):
    before = files(gallery)

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number), "/srv/gallery")

    monkeypatch.setattr(module, where, refuse)
    with pytest.raises(error, match=words) as told:
        take("x.png", png(50))
    assert "/srv" not in str(told.value) and files(gallery) == before


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fills_up_half_way_leaves_no_trace(
    take: Take, gallery: Path, monkeypatch: pytest.MonkeyPatch, step: str
):
    before = files(gallery)
    monkeypatch.setattr(module.os, step, lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(DiskFull):
        take("x.png", png(50))
    assert files(gallery) == before


def test_a_half_written_file_is_not_indexed(take: Take, gallery: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[list[str]] = []
    move = module._moved
    monkeypatch.setattr(
        module,
        "_moved",
        lambda part, target: seen.append([f.id for f in find_pictures(gallery)[0]]) or move(part, target),
    )
    take("x.png", png(50))
    assert len(seen) == 1 and not [image for image in seen[0] if image.startswith(ADDED)]


def test_concurrent_additions_get_distinct_names(gallery: Path, indexed: Gallery):
    pictures = [png(seed) for seed in range(50, 62)]
    ready = threading.Barrier(4)

    def add(share: int) -> list[str]:
        adder = ImageAdder(gallery, indexed, decode_picture)
        ready.wait()
        return [adder.take("cup.png", data) for data in pictures[share::4]]

    with ThreadPoolExecutor(4) as threads:
        ids = [image for some in threads.map(add, range(4)) for image in some]
    assert len(set(ids)) == 12 and sorted(files(gallery / ADDED).values()) == sorted(pictures)
    assert all((gallery / image).is_file() for image in ids)
