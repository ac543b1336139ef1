"""Settings are read from the environment; errors name the variable."""

import os
import re
import time
from pathlib import Path

import pytest

from boxfind.collection_table import CollectionsProblem, CollectionTable
from boxfind.settings import PROJECT, VARIABLES, BadSetting, Settings
from tests.dead_drive import DeadDrive

REFUSED = {
    "GALERY": ("pictures", r"Unknown setting BOXFIND_GALERY; the closest name is BOXFIND_GALLERY\."),
    "XYZZY": ("1", r"Unknown setting BOXFIND_XYZZY; docs/settings\.md lists all settings\."),
    "MID_LAYER_WEIGHT": ("0.5", r"Unknown setting BOXFIND_MID_LAYER_WEIGHT"),
    "FINE": ("0.5", r"BOXFIND_FINE is no longer a setting; remove it\."),
    "GALLERY": ("", r"BOXFIND_GALLERY cannot be '': it is empty"),
    "SIDE": ("9", r"BOXFIND_SIDE cannot be '9': it must be greater than or equal to 64"),
    "KEYPOINTS": ("-1", r"BOXFIND_KEYPOINTS cannot be '-1'"),
    "WORKERS": ("many", r"BOXFIND_WORKERS cannot be 'many': it must be a valid integer"),
    "GRID_LEVELS": ("0", r"BOXFIND_GRID_LEVELS cannot be '0'"),
    "MIN_SIMILARITY": ("2", r"BOXFIND_MIN_SIMILARITY cannot be '2': it must be less than or equal to 1"),
    "MILVUS_TIMEOUT": ("0", r"BOXFIND_MILVUS_TIMEOUT cannot be '0'"),
    "API_PORT": ("70000", r"BOXFIND_API_PORT cannot be '70000'"),
    "OFFLINE": ("perhaps", r"BOXFIND_OFFLINE cannot be 'perhaps'"),
    "ENGINE": ("spark", r"BOXFIND_ENGINE cannot be 'spark': it must be 'local' or 'ray'"),
    "BACKBONE": ("resnet49", r"BOXFIND_BACKBONE cannot be 'resnet49': there is no backbone .*resnet50"),
    "RUNTIME": ("opencl", r"BOXFIND_RUNTIME cannot be 'opencl': .*openvino"),
    "REGIONS": ("whole,gird", r"BOXFIND_REGIONS cannot be 'gird': .*detector, grid"),
    "MILVUS_URI": ("milvus.example", r"BOXFIND_MILVUS_URI cannot be used: .*ending in \.db"),
    "MILVUS_ALIAS": ("no spaces", r"BOXFIND_MILVUS_ALIAS cannot be 'no spaces'"),
    "IGNORE": ("*.png,!", r"BOXFIND_IGNORE cannot be '\*\.png,!': it contains the pattern !, which is not valid"),
    "MIN_SIDE": ("-1", r"BOXFIND_MIN_SIDE cannot be '-1'"),
    "ADMIN_HEADER": ("a: b", r"BOXFIND_ADMIN_HEADER cannot be 'a: b'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_invalid_value_is_one_sentence(name, monkeypatch):
    value, sentence = REFUSED[name]
    monkeypatch.setenv(f"BOXFIND_{name}", value)
    with pytest.raises(BadSetting, match=sentence):
        Settings.load()


def test_each_setting_is_read_from_its_variable_into_its_group(monkeypatch):
    given = {
        "GALLERY": "/pictures",
        "SIDE": "320",
        "REGIONS": " Whole, grid ,",
        "STORE": "half",
        "IGNORE": "Drafts/, *.PNG\n!keep.PNG,",
        "ADMINS": "Ada@Example.org,grace@example.org",
        "MILVUS_URI": "https://milvus.example",
        "API_TOKEN": "secret",
        "API_HOSTS": "*",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"BOXFIND_{name}", value)
    found = Settings.load()
    assert (found.gallery, found.build.side, found.build.regions) == (Path("/pictures"), 320, ("whole", "grid"))
    assert found.gallery_rules.ignore == ("Drafts/", "*.PNG", "!keep.PNG")
    assert (found.search.store, found.milvus.uri) == ("half", "https://milvus.example")
    assert found.server.admins == ("ada@example.org", "grace@example.org")
    assert found.api.token.get_secret_value() == "secret" and found.api.hosts == ("*",)
    assert "secret" not in repr(found)


def test_overrides_win_over_the_environment_and_changed_keeps_the_rest(monkeypatch):
    monkeypatch.setenv("BOXFIND_SIDE", "320")
    monkeypatch.setenv("BOXFIND_API_TOKEN", "secret")
    found = Settings.load(side=128, query_side=64).changed(keypoints=0)
    assert (found.build.side, found.tuning.query_side, found.build.keypoints) == (128, 64, 0)
    assert found.api.token.get_secret_value() == "secret"
    assert found.changed(side=96).build.keypoints == 0


def test_secrets_are_not_repeated_in_messages(monkeypatch):
    with pytest.raises(BadSetting) as caught:
        Settings.load(api_token=b"\xff")
    assert "API_TOKEN" in str(caught.value) and "xff" not in str(caught.value)


def test_an_unknown_name_in_a_call_is_refused():
    for wrong in ({"galery": Path()}, {"finer": 0.5}):
        with pytest.raises(BadSetting, match="Unknown setting"):
            Settings.load(**wrong)
        with pytest.raises(BadSetting, match="Unknown setting"):
            Settings.load().changed(**wrong)


def test_the_settings_document_lists_every_setting():
    text = (PROJECT / "docs" / "settings.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `BOXFIND_([A-Z_]+)`", text, re.MULTILINE)
    assert sorted(name.lower() for name in listed) == sorted(VARIABLES)


def test_documents_name_settings_that_exist():
    texts = [PROJECT / "README.md", *(PROJECT / "docs").glob("*.md"), *(PROJECT / "deploy").rglob("*.env")]
    for path in texts:
        for name in re.findall(r"\bBOXFIND_([A-Z][A-Z_]*[A-Z])\b", path.read_text(encoding="utf-8")):
            assert name.lower() in VARIABLES or name in ("API", "MILVUS"), f"{path.name}: BOXFIND_{name}"


@pytest.mark.parametrize("name", ["gallery", "index", "data", "head"])
def test_r69_a_folder_whose_name_is_not_utf8_is_refused(name: str, tmp_path: Path, monkeypatch):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    with pytest.raises(
        BadSetting, match=r"cannot be '.*caf\\udce9': its full path .* is not valid UTF-8; rename"
    ) as refused:
        Settings.load(**{name: folder})
    assert str(refused.value).isascii()
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    for path in (".", tmp_path / "link"):
        with pytest.raises(BadSetting, match="not valid UTF-8"):
            Settings.load(**{name: path})


def test_r65_folders_of_the_program_are_left_out(tmp_path: Path):
    rules = Settings.load(gallery=tmp_path, data=tmp_path).gallery_rules
    assert {tmp_path / "removed", tmp_path / "indexes", tmp_path / "sample"} <= rules.own_folders


def test_r95_a_gallery_on_a_drive_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its index can be searched. Only the first settings wait for it."""
    (tmp_path / "net").mkdir()
    answering = Settings.load(gallery=tmp_path / "net", data=tmp_path / "data").index_dir
    began = time.monotonic()
    with monkeypatch.context() as patch:
        drive = DeadDrive(tmp_path / "net", patch, answers=1.0)
        for _ in range(20):
            settings = Settings.load(gallery=tmp_path / "net", data=tmp_path / "data").changed(side=320)
            assert settings.gallery_dir == tmp_path / "net" and settings.index_dir == answering
        with pytest.raises(CollectionsProblem, match="does not answer"):
            CollectionTable(tmp_path / "data").add("Net", [tmp_path / "net"])
        assert time.monotonic() - began < 15
        drive.connected.set()
