"""Only the right weights come through, from wherever they come, and nothing half-done is left behind."""

import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from retrieval import weights as module
from retrieval.errors import WeightsMissing
from retrieval.weights import Weights, download_folder, fetch_weights, find_weights, need_weights

CONTENT = bytes(range(256)) * 12_000  # three pieces of a download
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    patience = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/gone":
            self.send_error(404)
            return
        if self.path == "/silent":
            self.patience.wait(20)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        half = self.path == "/half"
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if half else CONTENT[::-1] if self.path == "/other" else CONTENT)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(Handler, "patience", threading.Event())
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        Handler.patience.set()
        serving.shutdown()
        thread.join()


def weights_at(url: str) -> Weights:
    return Weights("net.pth", SHA256, url=lambda: url)


def files() -> list[str]:
    return sorted(path.name for path in download_folder().glob("*"))


def test_a_download(server):
    wanted = weights_at(f"{server}/net.pth")
    assert find_weights(wanted) is None
    told = []
    path = fetch_weights(wanted, lambda *progress: told.append(progress))
    assert path.read_bytes() == CONTENT
    assert find_weights(wanted) == need_weights(wanted) == path
    assert files() == ["net.pth"]
    assert told[-1] == ("Fetching net.pth (MB)", len(CONTENT) // 10**6, len(CONTENT) // 10**6)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


@pytest.mark.parametrize(
    ("path", "says"), [("other", "arrived damaged"), ("half", "could not be fetched"), ("gone", "could not be fetched")]
)
def test_r44_what_is_not_whole_is_thrown_away(server, path, says):
    with pytest.raises(WeightsMissing, match=rf"net\.pth {says}.*\.$"):
        fetch_weights(weights_at(f"{server}/{path}"))
    assert files() == []


def test_a_download_that_fails_leaves_the_old_file_alone(server):
    good = fetch_weights(weights_at(f"{server}/net.pth"))
    with pytest.raises(WeightsMissing):
        fetch_weights(weights_at(f"{server}/half"))
    assert good.read_bytes() == CONTENT


def test_r44_nobody_listens(server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(WeightsMissing, match="could not be fetched"):
            fetch_weights(weights_at(f"http://127.0.0.1:{port}/net.pth"))
    assert files() == []


def test_r44_a_server_that_never_answers_is_given_up(server, monkeypatch):
    monkeypatch.setattr(module, "ANSWER_TIMEOUT", 0.2)
    with pytest.raises(WeightsMissing, match="the network does not answer"):
        fetch_weights(weights_at(f"{server}/silent"))  # which would hold the line for 20 s
    assert not Handler.patience.is_set() and files() == []


def test_r44_a_damaged_file_on_disk_is_not_used_but_reported(server):
    wanted = weights_at(f"{server}/net.pth")
    path = fetch_weights(wanted)
    path.write_bytes(CONTENT[:-1] + b"!")
    assert find_weights(wanted) is None
    with pytest.raises(WeightsMissing, match=r"net\.pth is not the weights file it should be; delete it"):
        need_weights(wanted)
    assert fetch_weights(wanted).read_bytes() == CONTENT  # and a download mends it


def test_weights_of_a_package(tmp_path: Path, monkeypatch):
    wanted = Weights("net.pth", SHA256, package="boxfind_made_up_weights")
    with pytest.raises(WeightsMissing, match="pip install boxfind_made_up_weights"):
        need_weights(wanted)
    models = tmp_path / "boxfind_made_up_weights" / "models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").touch()
    (models / "net.pth").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert need_weights(wanted) == fetch_weights(wanted) == models / "net.pth"
