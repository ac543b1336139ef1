"""A restored backup gives the same answers; a damaged archive changes nothing."""

import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image as Pillow

from index.building.build import build
from index.building.jobs import building
from index.building.thread_executor import ThreadExecutor
from index.gallery import Gallery, open_gallery
from index.operations import backup as module
from index.operations.backup import backup, restore
from index.operations.verify import remarks, verify
from index.storage.generation import NAME, current_folder, generations
from index.storage.picture_contents import contents_of
from index.storage.written_text import WrittenText
from retrieval.errors import BuildRunning, DiskFull, IndexProblem
from retrieval.images.decode import load_image
from retrieval.search import search
from retrieval.types import Box, Hit, WrittenLine


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory, draw, tiny_embedder, pool) -> Path:
    """The backup of an index of eight images."""
    folder = tmp_path_factory.mktemp("once")
    (folder / "gallery").mkdir()
    for number in range(8):
        Pillow.fromarray(draw(number)).save(folder / "gallery" / f"{number}.png")
    build(folder / "gallery", folder / "index", ThreadExecutor(tiny_embedder, pool, 2), lambda *_: None)
    backup(folder / "index", folder / "kept.tar")
    return folder / "kept.tar"


@pytest.fixture
def archive(made_once: Path, tmp_path: Path) -> Path:
    """A copy of the archive to damage, and its index."""
    shutil.copytree(made_once.parent / "index", tmp_path / "index")
    return Path(shutil.copy(made_once, tmp_path))


def test_text_is_backed_up_and_restored(gallery: Path, build_index, tmp_path: Path):
    folder = build_index(gallery)
    contents = int(contents_of([open_gallery(folder).entry("1.png").sha256])[0])
    line = WrittenLine("exit", Box(1, 2, 3, 4), 0.9)
    WrittenText(folder.parent).add({contents: [line]})
    backup(folder.parent, tmp_path / "kept.tar")
    WrittenText(tmp_path / "new").index_dir.mkdir()
    WrittenText(tmp_path / "new").add({contents + 1: [line]})
    restored = open_gallery(restore(tmp_path / "kept.tar", tmp_path / "new"))
    assert restored.written(restored.number("1.png")) == [line]
    assert len(WrittenText(tmp_path / "new").contents()) == 2
    assert verify(tmp_path / "new") == [] and remarks(tmp_path / "new") == []
    WrittenText(tmp_path / "new").file.write_bytes(b"damaged" * 1000)
    assert verify(tmp_path / "new") == [] and "damaged" in remarks(tmp_path / "new")[0]
    backup(tmp_path / "new", tmp_path / "again.tar")
    assert restore(tmp_path / "again.tar", tmp_path / "third").is_dir()


def answers(gallery: Gallery, embedder, pictures: list[Path]) -> list[list[Hit]]:
    found = []
    for picture in map(load_image, pictures):
        for box in (Box.whole(picture), Box(5, 9, 70, 60), Box(40, 20, 120, 90)):
            query = embedder.query(picture, box, gallery.whitening)
            found += [search(query, gallery, ranking, 0) for ranking in ("fast", "best")]
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_r53_backup_wipe_restore_elsewhere(gallery: Path, build_index, tiny_embedder, tmp_path: Path):
    before = build_index(gallery)
    pictures = sorted(gallery.rglob("*.png"))
    golden = answers(open_gallery(before), tiny_embedder, pictures)
    assert len(golden) >= 20 and all(len(hits) == 8 for hits in golden)
    files = contents(before)
    assert backup(before.parent, tmp_path / "kept.tar") == before.name
    shutil.rmtree(before.parent)
    folder = restore(tmp_path / "kept.tar", tmp_path / "somewhere" / "else")
    assert current_folder(folder.parent) == folder and verify(folder.parent) == []
    assert contents(folder) == files
    assert answers(open_gallery(folder), tiny_embedder, pictures) == golden


def test_r53_with_the_pictures_in_another_place_a_build_looks_at_none_again(
    gallery: Path, build_index, tiny_embedder, tmp_path: Path, monkeypatch
):
    archive = tmp_path / "kept.tar"
    backup(build_index(gallery).parent, archive)
    moved = gallery.rename(tmp_path / "moved")
    restored = restore(archive, tmp_path / "other")
    golden = answers(open_gallery(restored), tiny_embedder, sorted(moved.rglob("*.png")))
    monkeypatch.setattr(type(tiny_embedder), "describe", lambda *_: pytest.fail("described again"))
    built = open_gallery(build_index(moved, into="other"))
    assert built.file("1.png") == moved / "1.png" and built.manifest.changes.kept == 8
    assert answers(built, tiny_embedder, sorted(moved.rglob("*.png"))) == golden


def test_restoring_keeps_existing_generations(gallery: Path, build_index, draw, tmp_path: Path):
    archive = tmp_path / "kept.tar"
    backup(build_index(gallery).parent, archive)
    Pillow.fromarray(draw(40)).save(gallery / "new.png")
    second = build_index(gallery)
    third = restore(archive, second.parent)
    assert [folder.name[:10] for folder in generations(third.parent)] == ["gen-000001", "gen-000002", "gen-000003"]
    assert current_folder(third.parent) == third and len(open_gallery(third).tables.ids) == 8
    assert verify(third.parent) == [] and not list(third.parent.glob("tmp-*"))
    assert len(open_gallery(build_index(gallery)).tables.ids) == 9


def test_the_archive_unpacked_by_hand_is_an_index(archive: Path, tmp_path: Path):
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "by-hand", filter="data")
        assert {member.name.partition("/")[2] for member in tar} > {"manifest.json", "vectors.npy"}
        assert {(member.uname, member.uid, member.mtime) for member in tar} == {("", 0, 0)}
    assert verify(tmp_path / "by-hand") == []


def test_a_backup_never_overwrites_and_is_complete_or_absent(archive: Path, tmp_path: Path, monkeypatch):
    index, data = tmp_path / "index", archive.read_bytes()
    with pytest.raises(IndexProblem, match="already exists"):
        backup(index, archive)
    assert archive.read_bytes() == data
    with pytest.raises(FileNotFoundError):
        backup(index, tmp_path / "no folder" / "b.tar")
    monkeypatch.setattr(module, "_member", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        backup(index, tmp_path / "b.tar")
    monkeypatch.setattr(module, "need_space", lambda *_: (_ for _ in ()).throw(DiskFull("It is full.")))
    for operation in (lambda: backup(index, tmp_path / "b.tar"), lambda: restore(archive, tmp_path / "new")):
        with pytest.raises(DiskFull):
            operation()
    assert {path.name for path in tmp_path.iterdir()} == {"index", "kept.tar", "new"}


def test_a_damaged_index_is_not_backed_up(gallery: Path, build_index, tmp_path: Path):
    generation = build_index(gallery)
    with (generation / "thumbs" / "0000.jpgs").open("ab") as file:
        file.write(b"x")
    with pytest.raises(IndexProblem, match=r"not backed up: thumbs/0000\.jpgs differs from what was written\.$"):
        backup(generation.parent, tmp_path / "b.tar")
    with pytest.raises(IndexProblem, match="no index"):
        backup(tmp_path / "gone", tmp_path / "b.tar")
    assert not list(tmp_path.glob("b.tar*"))


def test_builds_during_a_backup(gallery: Path, build_index, draw, tmp_path: Path, monkeypatch):
    """A build deletes the generation during the backup."""
    first, write = build_index(gallery), module._write

    def interrupted(part: Path, folder: Path, progress: object) -> None:
        monkeypatch.setattr(module, "_write", write)
        for number in (50, 51):
            Pillow.fromarray(draw(number)).save(gallery / f"{number}.png")
            build_index(gallery)
        write(part, folder, progress)

    monkeypatch.setattr(module, "_write", interrupted)
    name = backup(first.parent, tmp_path / "b.tar")
    assert not first.exists() and name == current_folder(first.parent).name
    assert len(open_gallery(restore(tmp_path / "b.tar", tmp_path / "other")).tables.ids) == 10


def test_restore_is_refused_during_a_build(archive: Path, tmp_path: Path):
    before = contents(tmp_path / "index")
    with building(tmp_path / "index"), pytest.raises(BuildRunning, match="already being built"):
        restore(archive, tmp_path / "index")
    assert {name: data for name, data in contents(tmp_path / "index").items() if name.startswith("gen-")} == {
        name: data for name, data in before.items() if name.startswith("gen-")
    }


def rewritten(archive: Path, change: Callable[[str, bytes], list[tuple[tarfile.TarInfo, bytes]]]) -> None:
    """Rewrite the archive, applying `change` to each member."""
    out = io.BytesIO()
    with tarfile.open(archive) as old, tarfile.open(fileobj=out, mode="w") as new:
        for member in old:
            for info, data in change(member.name, old.extractfile(member).read()):
                new.addfile(info, io.BytesIO(data))
    archive.write_bytes(out.getvalue())


def plain(name: str, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info, data


def special(name: str, type_: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = type_, target
    return info, b""


def added(*members: tuple[tarfile.TarInfo, bytes]) -> Callable:
    """Add a member before the first."""
    return lambda name, data: [*(members if name == "CURRENT" else ()), plain(name, data)]


HOSTILE = {
    "a path upwards": added(plain("../escaped", b"x")),
    "a path upwards further down": added(plain("gen-000001-aaaa/../../escaped", b"x")),
    "an absolute path": added(plain("/tmp/escaped", b"x")),
    "a link to a folder": added(special("gen-000001-aaaa", tarfile.SYMTYPE, "/tmp")),
    "a link to a file": added(special("gen-000001-aaaa/vectors.npy", tarfile.SYMTYPE, "/etc/passwd")),
    "a hard link": added(special("gen-000001-aaaa/vectors.npy", tarfile.LNKTYPE, "CURRENT")),
    "a device": added(special("gen-000001-aaaa/vectors.npy", tarfile.CHRTYPE)),
    "a pipe": added(special("gen-000001-aaaa/vectors.npy", tarfile.FIFOTYPE)),
    "a folder": added(special("gen-000001-aaaa/thumbs", tarfile.DIRTYPE)),
    "code": added(plain("gen-000001-aaaa/vectors.pkl", b"x")),
    "a file beside the generation": added(plain("build.json", b"{}")),
    "a second generation": added(plain("gen-000002-bbbb/manifest.json", b"{}")),
    "a pointer elsewhere": lambda name, data: [plain(name, b"gen-000009-9999\n" if name == "CURRENT" else data)],
    "a pointer upwards": lambda name, data: [plain(name, b"../..\n" if name == "CURRENT" else data)],
    "a pointer of bytes": lambda name, data: [plain(name, b"\xff\xfe" if name == "CURRENT" else data)],
    "an empty pointer": lambda name, data: [plain(name, b"" if name == "CURRENT" else data)],
    "no pointer": lambda name, data: [] if name == "CURRENT" else [plain(name, data)],
    "no manifest": lambda name, data: [] if name.endswith("manifest.json") else [plain(name, data)],
    "no thumbnails": lambda name, data: [] if "thumbs" in name else [plain(name, data)],
    "a flipped byte": lambda name, data: [
        plain(name, data[:-1] + bytes([data[-1] ^ 1]) if "vectors" in name else data)
    ],
    "a byte more": lambda name, data: [plain(name, data + b"x" if "keypoints" in name else data)],
    "an earlier format": lambda name, data: [plain(name, data.replace(b'"format": 5', b'"format": 3'))],
    "nothing": lambda name, data: [],
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_forged_archive_changes_nothing(archive: Path, tmp_path: Path, change):
    rewritten(archive, change)
    before = contents(tmp_path / "index")
    with pytest.raises(
        IndexProblem, match=r"kept\.tar is not a complete backup: .*\. Nothing was changed\.$"
    ) as caught:
        restore(archive, tmp_path / "index")
    assert "\n" not in str(caught.value)
    assert {name: data for name, data in contents(tmp_path / "index").items() if name in before} == before
    assert not list((tmp_path / "index").glob("tmp-*")) and not list(tmp_path.rglob("escaped"))
    assert len(generations(tmp_path / "index")) == 1


@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.5, 0.9])
def test_a_truncated_archive_changes_nothing(archive: Path, tmp_path: Path, share):
    data = archive.read_bytes()
    archive.write_bytes(data[: int(share * len(data))])
    with pytest.raises(IndexProblem, match="is not a complete backup"):
        restore(archive, tmp_path / "index")
    assert verify(tmp_path / "index") == [] and not list((tmp_path / "index").glob("tmp-*"))


@pytest.mark.parametrize("place", range(0, 100, 7))
def test_a_flipped_byte_is_detected_or_harmless(archive: Path, tmp_path: Path, place):
    data = bytearray(archive.read_bytes())
    data[place * len(data) // 100] ^= 0x41
    archive.write_bytes(data)
    original = contents(current_folder(tmp_path / "index"))
    try:
        assert contents(restore(archive, tmp_path / "other")) == original
    except IndexProblem:
        assert not generations(tmp_path / "other")


def test_an_archive_with_a_huge_declared_size_is_refused(archive: Path, tmp_path: Path):
    info = tarfile.TarInfo("gen-000001-aaaa/vectors.npy")
    info.size = 10**13
    archive.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(2000))
    with pytest.raises(IndexProblem, match="is not a complete backup"):
        restore(archive, tmp_path / "index")


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"\x1f\x8b\x08\x00" + bytes(600), bytes(10240)])
def test_a_file_that_is_not_an_archive_is_refused(archive: Path, tmp_path: Path, content):
    archive.write_bytes(content)
    with pytest.raises(IndexProblem, match="is not a complete backup"):
        restore(archive, tmp_path / "index")
    with pytest.raises(IndexProblem, match=r"gone\.tar does not exist"):
        restore(tmp_path / "gone.tar", tmp_path / "index")


def test_restored_generations_are_numbered_in_order(archive: Path, tmp_path: Path):
    restored = [restore(archive, tmp_path / "index") for _ in range(3)]
    assert all(NAME.fullmatch(folder.name) for folder in restored)
    assert generations(tmp_path / "index")[1:] == restored
