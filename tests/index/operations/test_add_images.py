"""Added files are readable images with unique names; existing files never change."""

import errno
import io
import os
import struct
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
from retrieval.descriptors.embedder import Embedder
from retrieval.errors import DiskFull, GalleryProblem, UnreadableImage
from retrieval.images.decode import decode_image
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
    return ImageAdder(gallery, indexed, decode_image).take


def test_an_added_image_keeps_its_bytes_and_is_in_the_next_build(take: Take, gallery: Path, build_index):
    before = files(gallery)
    assert take("Café 1.PNG", png(50)) == "added/Café 1.PNG"
    assert files(gallery) == before | {"added/Café 1.PNG": png(50)}
    assert (gallery / ADDED / "Café 1.PNG").stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert "added/Café 1.PNG" in open_gallery(build_index(gallery)).tables.ids


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
    first, second = (ImageAdder(gallery, indexed, decode_image) for _ in range(2))
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


def test_names_that_are_invalid_on_windows_are_refused_there(monkeypatch: pytest.MonkeyPatch):
    assert module._is_plain("12:30 at noon?.png")
    monkeypatch.setattr(module.sys, "platform", "win32")
    assert module._is_plain("noon.png")
    assert not any(module._is_plain(name) for name in ("ab:c.png", "a?.png", "a*.png", "a|b.png", 'a"b.png', "<a>.png"))


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


def test_a_file_called_added_is_refused(take: Take, gallery: Path):
    (gallery / ADDED).write_text("mine")
    with pytest.raises(GalleryProblem, match="is not a folder"):
        take("x.png", png(50))
    assert (gallery / ADDED).read_text() == "mine"


def test_an_unmounted_gallery_is_refused(indexed: Gallery, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    for root in (tmp_path / "empty", tmp_path / "gone"):
        with pytest.raises(GalleryProblem, match="its disk is connected"):
            ImageAdder(root, indexed, decode_image).take("x.png", png(50))
    assert not list((tmp_path / "empty").iterdir()) and not (tmp_path / "gone").exists()


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
        adder = ImageAdder(gallery, indexed, decode_image)
        ready.wait()
        return [adder.take("cup.png", data) for data in pictures[share::4]]

    with ThreadPoolExecutor(4) as threads:
        ids = [image for some in threads.map(add, range(4)) for image in some]
    assert len(set(ids)) == 12 and sorted(files(gallery / ADDED).values()) == sorted(pictures)
    assert all((gallery / image).is_file() for image in ids)
