"""Files of the hub are downloaded once, checked, and used without a network afterwards."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from retrieval.errors import WeightsMissing
from retrieval.networks import weights as module
from retrieval.networks.weights import Weights, find_weights, have_weights, hub_weights, need_weights
from tests.hub import COMMIT, HubHandler, keep

CONTENT = bytes(range(256)) * 3000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
REPOSITORY, FILE = "tests/network", "model.safetensors"


@pytest.fixture
def cache(monkeypatch, tmp_path: Path) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def hub(cache: Path, monkeypatch) -> Iterator[type[HubHandler]]:
    """A server in place of the hub."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(HubHandler, "files", {f"{REPOSITORY}/{FILE}": CONTENT})
    monkeypatch.setattr(HubHandler, "fault", "")
    monkeypatch.setattr(HubHandler, "asked", [])
    monkeypatch.setattr(HubHandler, "patience", threading.Event())
    with ThreadingHTTPServer(("127.0.0.1", 0), HubHandler) as serving:
        address = f"http://127.0.0.1:{serving.server_port}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        monkeypatch.setattr(
            "huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE",
            address + "/{repo_id}/resolve/{revision}/{filename}",
        )
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield HubHandler
        HubHandler.patience.set()
        serving.shutdown()
        thread.join()


def wanted(*files: str) -> Weights:
    return hub_weights(REPOSITORY, *files or (FILE,))


def test_a_file_is_downloaded_once_and_used_offline(hub, cache: Path):
    before = wanted()
    assert (before.sha256, before.megabytes, before.revision) == ("", 0, "")
    told: list[tuple[str, int, int]] = []
    path = have_weights(before, offline=False, progress=lambda *step: told.append(step))
    assert path.read_bytes() == CONTENT and told
    after = wanted()
    assert (after.sha256, after.revision, after.megabytes) == (SHA256, COMMIT, 1)
    hub.asked.clear()
    assert have_weights(after, offline=True) == have_weights(after, offline=False) == path and not hub.asked
    assert path == cache / "models--tests--network" / "snapshots" / COMMIT / FILE


def test_the_library_of_the_hub_finds_the_file(hub):
    from huggingface_hub import hf_hub_download

    path = have_weights(wanted(), offline=False)
    assert hf_hub_download(REPOSITORY, FILE, local_files_only=True, cache_dir=path.parents[3]) == str(path)


def test_the_first_file_that_the_hub_has_is_taken(hub):
    hub.files = {f"{REPOSITORY}/pytorch_model.bin": CONTENT}
    assert have_weights(wanted(FILE, "pytorch_model.bin"), offline=False).name == "pytorch_model.bin"
    assert wanted(FILE, "pytorch_model.bin").sha256 == SHA256


@pytest.mark.parametrize(
    ("fault", "words"),
    {
        "login page": "the answer is not that of the hub",
        "other content": r"\(1 MB\) were damaged during the download and have been deleted",
        "silent": "the server did not respond",
    }.items(),
)
def test_a_hub_that_fails_leaves_no_file(hub, cache: Path, monkeypatch, fault, words):
    monkeypatch.setattr(module, "ANSWER_TIMEOUT", 0.5)
    hub.fault = fault
    with pytest.raises(WeightsMissing, match=words) as raised:
        have_weights(wanted(), offline=False)
    assert f"{FILE} of {REPOSITORY} on the Hugging Face hub" in str(raised.value)
    assert f"`hf download {REPOSITORY} {FILE}`" in str(raised.value) and str(cache) in str(raised.value)
    assert not [path for path in cache.rglob("*") if path.is_file()] and find_weights(wanted()) is None


@pytest.mark.parametrize(
    ("repository", "words"),
    {"tests/network": "has no file other.bin", "tests/none": "no public repository tests/none"}.items(),
)
def test_a_missing_file_and_a_missing_repository_are_told_apart(hub, repository, words):
    with pytest.raises(WeightsMissing, match=words):
        have_weights(hub_weights(repository, "other.bin"), offline=False)


def test_a_hub_that_is_away_is_told(cache: Path, monkeypatch):
    monkeypatch.setattr(
        "huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE",
        "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr(module, "ANSWER_TIMEOUT", 0.5)
    with pytest.raises(WeightsMissing, match=r"the server did not respond|the connection failed or was lost"):
        have_weights(wanted(), offline=False)


def test_offline_the_hub_is_not_asked(hub):
    with pytest.raises(WeightsMissing, match="not on this machine, and offline mode is on; run `hf download"):
        have_weights(wanted(), offline=True)
    assert not hub.asked


@pytest.mark.parametrize("damage", [CONTENT[:1000], CONTENT[::-1], b""])
def test_a_damaged_file_is_refused_offline_and_replaced_online(hub, cache: Path, damage):
    path = keep(cache, REPOSITORY, FILE, damage, checksum=SHA256)
    with pytest.raises(WeightsMissing, match="wrong checksum; delete it") as raised:
        need_weights(wanted())
    assert SHA256 in str(raised.value)  # the file to delete is the blob, not the link to it
    assert have_weights(wanted(), offline=False) == path and path.read_bytes() == CONTENT


def test_a_small_file_is_checked_by_the_hash_of_git(cache: Path):
    git = hashlib.sha1(b"blob 5\0hello").hexdigest()
    path = keep(cache, REPOSITORY, "config.json", b"hello", checksum=git)
    assert find_weights(wanted("config.json")) == path
    keep(cache, REPOSITORY, "config.json", b"other", checksum=git)
    assert find_weights(wanted("config.json")) is None


def test_a_cache_without_links_gives_the_checksum_of_the_file(cache: Path):
    path = keep(cache, REPOSITORY, FILE, CONTENT)
    path.resolve().replace(path)
    assert (wanted().sha256, find_weights(wanted())) == (SHA256, path)
