"""build and cancel."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from boxfind import builds
from boxfind.collection_table import CollectionTable
from boxfind.commands import build as module
from boxfind.settings import Settings
from index.building import build as building
from index.building import jobs
from index.building.cancellation import CANCELLED
from index.building.jobs import BuildState, build_state
from index.operations import away_check
from index.operations.attach_gallery import attach_gallery
from index.storage import publishing
from index.storage.generation import current_folder
from index.storage.manifest import read_manifest
from retrieval.images.file_kinds import PACKAGES
from retrieval.optional_packages import OptionalPackage
from tests.dead_drive import DeadDrive
from tests.tiny import eight_pictures, use_tiny_network


def test_build(indexed):
    assert indexed.said.code == 0, indexed.said.err
    counts = read_manifest(current_folder(indexed.index)).counts
    assert re.fullmatch(
        rf"Indexed 12 pictures \({counts.regions} regions\) with efficientnet-lite0, centre whitening, "
        r"in \d+ s; skipped 1\.\n12 new or changed, 0 unchanged, 0 removed\.\n",
        indexed.said.out,
    )
    assert 12 * 9 < counts.regions < 12 * 20  # whole, proposals and two grid levels, without duplicates
    assert "Skipped broken :smile: [red].jpg: broken :smile: [red].jpg is empty (0 bytes).\n" in indexed.said.err
    assert counts.images == 12


def test_build_again_and_in_full(writable_copy, boxfind, draw):
    gallery, index = writable_copy.gallery, writable_copy.index
    build = ("build", "--gallery", gallery, "--index", index, "--backbone", "efficientnet-lite0")
    (gallery / "03.png").unlink()
    Pillow.fromarray(draw(90, 256, 192)).save(gallery / "04.png")
    Pillow.fromarray(draw(91, 256, 192)).save(gallery / "new.png")
    assert boxfind(*build).out.endswith("\n2 new or changed, 10 unchanged, 1 removed.\n")
    again = boxfind(*build)
    assert again.code == 0 and again.out.endswith("\nThe index is already up to date.\n")
    before = current_folder(index)
    full = boxfind(*build, "--full")
    assert full.out.endswith("\n0 new or changed, 12 unchanged (12 read again), 0 removed.\n")
    assert "All 13 pictures are read again: a full build was requested.\n" in full.err
    assert current_folder(index) != before
    assert boxfind("verify", "--index", index).code == 0


def test_a_quick_build_has_smaller_pictures_and_no_keypoints(writable_copy, boxfind, tmp_path):
    build = ("build", "--gallery", writable_copy.gallery, "--index", tmp_path / "quick", "--backbone")
    build = (*build, "efficientnet-lite0", "--quick")
    assert boxfind(*build).code == 0
    recipe = read_manifest(current_folder(tmp_path / "quick")).recipe
    assert recipe == replace(read_manifest(current_folder(writable_copy.index)).recipe, side=recipe.side, keypoints=0)
    assert 0 < recipe.side < Settings.load().build.side
    assert boxfind(*build).out.endswith("\nThe index is already up to date.\n")


def test_r84_what_was_read_can_be_searched_while_the_build_goes_on(writable_copy, boxfind, tmp_path, monkeypatch):
    build = ("build", "--gallery", writable_copy.gallery, "--backbone", "efficientnet-lite0", "--index")
    said = {}
    for first in ("0.0001", "0"):
        monkeypatch.setenv("BOXFIND_FIRST_WAVE", first)
        said[first] = boxfind(*build, tmp_path / first)
        assert said[first].code == 0
    numbers = list(map(int, re.findall(r"(\d+) of 1[23] pictures can be searched\.\n", said["0.0001"].err)))
    assert numbers and numbers == sorted(set(numbers)) and build_state(tmp_path / "0.0001").searchable == numbers[-1]
    assert "can be searched" not in said["0"].err and build_state(tmp_path / "0").searchable == 0


def test_what_is_written_is_read_after_the_build_and_found(tmp_path: Path, boxfind, pool, monkeypatch):
    monkeypatch.setenv("BOXFIND_TEXT", "1")
    monkeypatch.setattr(builds, "DecoderPool", lambda *_, **__: nullcontext(pool))
    picture = Pillow.new("RGB", (400, 300), "navy")
    ImageDraw.Draw(picture).text((60, 120), "OPEN DAILY", "white", ImageFont.load_default(40))
    (tmp_path / "gallery").mkdir()
    picture.save(tmp_path / "gallery" / "sign.png")
    index = tmp_path / "index"
    built = boxfind("build", "--gallery", tmp_path / "gallery", "--index", index, "--backbone", "efficientnet-lite0")
    assert built.code == 0 and built.out.endswith("0 removed.\nRead what is written in 1 picture.\n")
    (found,) = json.loads(boxfind("search", "--index", index, "--text", '"open daily"', "--json").out)
    assert (found["image"], found["kind"], found["confidence"]) == ("sign.png", "written", "likely")
    assert found["written"].replace(" ", "") == "OPENDAILY"
    assert boxfind("search", "--index", index, "--text", '"closed"').out == ""
    assert "written: OPEN" in boxfind("search", "--index", index, "--text", "open daily").out
    boxfind("cancel", "--index", index).assert_failed("No build is running")


def test_signal_handlers_are_restored(boxfind, tmp_path: Path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert boxfind("build", "--gallery", tmp_path / "gone", "--index", tmp_path / "index").code == 1
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize(
    ("module", "step", "served"),
    [(publishing, "sync_tree", False), (publishing, "replace_file", True), (building, "remove_journal", True)],
    ids=["before the index is served", "while it becomes served", "after it is served"],
)
def test_r67_what_is_said_is_what_happened(writable_copy, boxfind, draw, monkeypatch, module, step, served):
    gallery, index = writable_copy.gallery, writable_copy.index
    Pillow.fromarray(draw(92, 256, 192)).save(gallery / "new.png")
    before, work = current_folder(index), getattr(module, step)

    def interrupted(*given: object) -> None:
        work(*given)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(module, step, interrupted)
    result = boxfind("build", "--gallery", gallery, "--index", index, "--backbone", "efficientnet-lite0")
    assert (current_folder(index) != before) == served
    assert current_folder(index).is_dir() and build_state(index).state == ("done" if served else "cancelled")
    if served:
        assert result.code == 0 and result.out.endswith("\n1 new or changed, 12 unchanged, 0 removed.\n")
    else:
        result.assert_failed(CANCELLED)


@pytest.mark.parametrize(
    ("state", "code", "said"),
    [
        ("cancelled", 0, CANCELLED),
        ("done", 1, "The build was finished before it could be cancelled; its index is served."),
        ("failed", 1, "The build has failed: The disk is full."),
    ],
)
def test_r67_cancel_waits_and_says_what_happened(boxfind, tmp_path: Path, monkeypatch, state, code, said):
    running = BuildState(state="running", id="ours", pid=1, started=0, stage_started=0, now=0)
    message = {"cancelled": CANCELLED, "failed": "The disk is full."}.get(state, "")
    states = iter([running, running, running.model_copy(update={"state": state, "message": message})])
    monkeypatch.setattr(jobs, "build_state", lambda _: next(states))
    result = boxfind("cancel", "--index", tmp_path)
    assert result.code == code and (result.out + result.err).splitlines() == (
        [said, "Cancelling…"] if code == 0 else ["Cancelling…", said]
    )
    assert (tmp_path / "build.cancel").read_text() == "ours"


def test_a_build_that_fails_is_one_line(indexed, boxfind, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    build = ("build", "--backbone", "efficientnet-lite0", "--index", tmp_path / "index", "--gallery")
    boxfind(*build, tmp_path / "gone").assert_failed("does not exist")
    boxfind(*build, tmp_path / "empty").assert_failed("no pictures in")
    for backbone, says in {
        "resnet51": "choose from: auto, clip-rn50, efficientnet-b0",
        "resnet50": "not on this machine",
    }.items():
        boxfind(*build, indexed.gallery, "--backbone", backbone).assert_failed(says)
    boxfind(*build, indexed.gallery, "--engine", "spark").assert_failed(
        "--engine cannot be 'spark'", "'local' or 'ray'"
    )
    boxfind("build", "--gallery", indexed.gallery, "--index", tmp_path / "file").assert_failed(str(tmp_path / "file"))


def test_r60_r65_the_summary_counts_what_is_not_read_and_names_what_is_left_out(
    gallery: Path, build_index, capsys, monkeypatch
):
    for name, count in (("PSD", 8), ("svg", 2), ("mp4", 1)):
        for number in range(count):
            (gallery / f"{number}.{name}").write_bytes(b"8BPS")
    monkeypatch.setitem(PACKAGES, "video", OptionalPackage("av", "no_such_module", "video"))
    for number in range(3):
        (gallery / f"empty{number}.jpg").touch()
    (gallery / "@eaDir").mkdir()
    monkeypatch.setattr(module, "LISTED", 2)
    module._report(build_index(gallery), 1, True)
    said = capsys.readouterr()
    assert said.err == (
        "Skipped empty0.jpg: empty0.jpg is empty (0 bytes).\n"
        "Skipped empty1.jpg: empty1.jpg is empty (0 bytes).\n"
        "Skipped 1 more file. `boxfind skipped` lists all.\n"
        "Skipped pictures in formats that Boxfind cannot read yet: 8 Photoshop, 2 SVG. Convert them to JPEG. "
        "`boxfind skipped` lists all.\n"
        '1 file needs the package av; run `pip install -e ".[video]"` in the Boxfind folder.\n'
        "Left out: 1 system folder (@eaDir).\n"
    )
    assert "skipped 14." in said.out


def test_r69_a_path_that_is_not_utf8_is_refused_before_any_work(boxfind, tmp_path: Path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    Pillow.new("RGB", (64, 64)).save(folder / "a.png")
    boxfind("build", "--gallery", folder, "--index", tmp_path / "index").assert_failed("--gallery", "UTF-8")
    boxfind("build", "--gallery", tmp_path, "--index", folder).assert_failed("--index", "UTF-8")
    boxfind("verify", "--index", folder).assert_failed("--index", "UTF-8")
    out = folder / "head.safetensors"
    boxfind("finetune", "--labels", tmp_path, "--gallery", tmp_path, "--out", out).assert_failed("--out", "UTF-8")
    assert not (tmp_path / "index").exists() and [path.name for path in folder.iterdir()] == ["a.png"]


def test_r69_names_that_the_terminal_cannot_show_are_escaped(tmp_path: Path):
    code = (
        "import sys; from boxfind.commands import main; "
        "main.command_line = lambda: print('caf\\xe9 \\udcff'); main.main()"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "caf\\xe9 \\udcff\n", "")


@pytest.fixture
def in_data_folder(writable_copy, tmp_path: Path, monkeypatch):
    """The gallery with its index in the data folder, where it is by default."""
    monkeypatch.setenv("BOXFIND_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BOXFIND_BACKBONE", "efficientnet-lite0")
    index = Settings.load(gallery=writable_copy.gallery).index_dir
    index.parent.mkdir(parents=True)
    writable_copy.index.rename(index)
    attach_gallery(index, writable_copy.gallery)
    monkeypatch.setattr(away_check, "LASTS", 0.0)
    return replace(writable_copy, index=index)


@pytest.mark.slow
def test_r96_the_index_of_a_renamed_folder_is_used_and_nothing_is_read_again(in_data_folder, boxfind, tmp_path: Path):
    before, moved = current_folder(in_data_folder.index), tmp_path / "renamed"
    in_data_folder.gallery.rename(moved)
    refused = boxfind("build", "--gallery", in_data_folder.gallery)
    refused.assert_failed("does not exist", f"The same pictures are in {moved}: run boxfind build --gallery {moved};")
    assert current_folder(in_data_folder.index) == before
    built = boxfind("build", "--gallery", moved)
    assert built.code == 0 and f"These are the pictures of {in_data_folder.gallery}, which is gone" in built.err
    assert built.out.endswith("\nThe index is already up to date.\n")
    assert Settings.load(gallery=moved).index_dir == in_data_folder.index
    assert read_manifest(current_folder(in_data_folder.index)).gallery == str(moved)
    assert boxfind("build", "--gallery", moved).err.count("which is gone") == 0


@pytest.mark.slow
def test_the_index_of_a_collection_follows_only_if_it_is_told_to(in_data_folder, boxfind, tmp_path: Path):
    """A build of the new place knows neither the exclusions nor the other folders of the collection."""
    CollectionTable(tmp_path / "data").add("Mine", [in_data_folder.gallery])
    moved = in_data_folder.gallery.rename(tmp_path / "renamed")
    refused = boxfind("build", "--collection", "Mine")
    refused.assert_failed("does not exist", f"The same pictures are in {moved}: run boxfind collections move")
    built = boxfind("build", "--gallery", moved)
    assert built.code == 0 and built.out.endswith("\n12 new or changed, 0 unchanged, 0 removed.\n")
    assert read_manifest(current_folder(in_data_folder.index)).gallery == str(in_data_folder.gallery)


@pytest.mark.slow
def test_a_copy_of_a_folder_that_is_there_gets_an_index_of_its_own(in_data_folder, boxfind, tmp_path: Path):
    copy = Path(shutil.copytree(in_data_folder.gallery, tmp_path / "copy"))
    built = boxfind("build", "--gallery", copy)
    assert built.code == 0 and built.out.endswith("\n12 new or changed, 0 unchanged, 0 removed.\n")
    assert read_manifest(current_folder(in_data_folder.index)).gallery == str(in_data_folder.gallery)


@pytest.mark.slow
def test_a_folder_of_other_pictures_does_not_get_the_index_of_one_that_is_gone(
    in_data_folder, boxfind, draw, tmp_path: Path
):
    (tmp_path / "far").mkdir()
    in_data_folder.gallery.rename(tmp_path / "far" / "away")
    (tmp_path / "others").mkdir()
    for number in range(3):
        Pillow.fromarray(draw(50 + number, 256, 192)).save(tmp_path / "others" / f"{number:02d}.png")
    built = boxfind("build", "--gallery", tmp_path / "others")
    assert built.code == 0 and built.out.endswith("\n3 new or changed, 0 unchanged, 0 removed.\n")


def test_with_an_index_folder_the_message_names_it(writable_copy, boxfind, tmp_path: Path):
    attach_gallery(writable_copy.index, writable_copy.gallery)
    moved = writable_copy.gallery.rename(tmp_path / "re named")
    refused = boxfind("build", "--gallery", writable_copy.gallery, "--index", writable_copy.index)
    command = (
        f"run boxfind build --gallery {shlex.quote(str(moved))} --index {writable_copy.index}; nothing is read again."
    )
    assert refused.code == 1 and command in refused.err


def test_backbone_list_prints_networks_and_builds_nothing(boxfind, gallery, tmp_path, monkeypatch):
    monkeypatch.setattr(OptionalPackage, "installed", False)  # without timm and open_clip, which take seconds to load
    told = boxfind("build", "--gallery", gallery, "--index", tmp_path / "index", "--backbone", "list")
    assert told.code == 0 and "timm:vit_base_patch16_dinov3.lvd1689m" in told.out
    assert "efficientnet-lite0: 20 MB, any, Apache-2.0; on this machine" in told.out
    assert not (tmp_path / "index").exists()


def test_r95_a_gallery_on_a_drive_that_does_not_answer_is_one_sentence(
    boxfind, offline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_tiny_network(monkeypatch)
    eight_pictures(tmp_path / "net")
    with monkeypatch.context() as patch:
        drive = DeadDrive(tmp_path / "net", patch)
        said = boxfind("build", "--gallery", tmp_path / "net", "--index", tmp_path / "index")
        drive.connected.set()
    assert said.code == 1 and "net does not answer; check that its drive" in said.err and "Traceback" not in said.err
